"""Windowed attention against mmdet's own, and against an oracle."""

import pytest
import torch
import torch.nn.functional as F

import igq_mmdet as igq
from igq_mmdet.calibration import collect, fit
from igq_mmdet.modules import QuantShiftWindowMSA, QuantWindowMSA
from igq_mmdet.modules.attention.float_window_attention import (
    FloatWindowMSA,
)
from igq_mmdet.observers import ChannelRanges, Histogram, RowMaxima

pytest.importorskip('mmdet')

from mmdet.models.backbones.swin import (
    ShiftWindowMSA,
    SwinTransformer,
    WindowMSA,
)

from tests import oracle
from tests.agreement import BETWEEN, each_alone, near

WINDOW = 4
# height, width in tokens: whole windows, padded, smaller than a window
SIZES = [(8, 12), (7, 9), (4, 4), (5, 4), (3, 2), (1, 1)]


def attention(shift=0):
    torch.manual_seed(0)
    module = ShiftWindowMSA(8, 2, WINDOW, shift).eval()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.4)
    return module


def run(module, tokens, size):
    with torch.no_grad():
        return module(tokens, size)


@pytest.mark.parametrize('shift', [0, 1, 2, 3])
@pytest.mark.parametrize('size', SIZES)
def test_float_equals_mmdet(rand, shift, size):
    module = attention(shift)
    qmodule = igq.quantize(module, igq.QuantSpec())
    assert isinstance(qmodule, QuantShiftWindowMSA)
    for size_now in (size, (6, 5), size):  # the layout kept follows the size
        tokens = rand(3, size_now[0] * size_now[1], 8)
        torch.testing.assert_close(
            run(qmodule, tokens, size_now),
            run(module, tokens, size_now),
            rtol=1e-5,
            atol=1e-5,
        )


@pytest.mark.parametrize('shift', [0, 2])
@pytest.mark.parametrize('exclude', ['w_msa', 'w_msa.qkv', 'w_msa.proj'])
def test_what_is_excluded_stays_float(rand, shift, exclude):
    module, size = attention(shift), (7, 9)
    tokens = rand(2, 63, 8)
    # a group a channel and image: nothing is cut off
    spec = igq.QuantSpec(w_bits=8, a_bits=8, groups=16, exclude=[exclude])
    qmodule = igq.quantize(module, spec)
    expected = run(module, tokens, size)
    torch.testing.assert_close(
        run(qmodule, tokens, size), expected, rtol=1e-5, atol=1e-5
    )
    kind = FloatWindowMSA if exclude == 'w_msa' else QuantWindowMSA
    assert type(qmodule.w_msa) is kind
    igq.calibrate(qmodule, [(tokens, size)])
    close = run(qmodule, tokens, size)
    assert not torch.equal(close, expected)
    assert (close - expected).norm() < 0.1 * expected.norm()


def test_projections_alone_see_whole_images(rand):
    """Windows are no images, whether or not the attention is quantized."""
    size, tokens = (7, 9), rand(2, 63, 8)
    spec = igq.QuantSpec(groups=3)
    whole = igq.quantize(attention(2), spec)
    alone = igq.quantize(
        attention(2), igq.QuantSpec(groups=3, include=['w_msa.qkv'])
    )
    for qmodule in (whole, alone):
        igq.calibrate(qmodule, [(tokens, size)])
    one, two = (
        m.w_msa.qkv.input_quantizer.state_dict() for m in (whole, alone)
    )
    assert one.keys() == two.keys()
    for key, value in one.items():
        assert torch.equal(value, two[key])


def test_window_msa_alone_equals_mmdet(rand):
    torch.manual_seed(0)
    module = WindowMSA(8, 2, (WINDOW, WINDOW)).eval()
    windows = rand(6, 16, 8)
    mask = torch.zeros(3, 16, 16).masked_fill(torch.rand(3, 16, 16) > 0.8, -9)
    qmodule = igq.quantize(module, igq.QuantSpec())
    with torch.no_grad():
        for arguments in ((windows,), (windows, mask)):
            torch.testing.assert_close(
                qmodule(*arguments), module(*arguments), rtol=1e-5, atol=1e-5
            )


@pytest.fixture
def calibrated(rand):
    """An attention with padding and shift, and its tokens, in float64."""
    size, tokens = (7, 9), rand(2, 63, 8, shift=3.0).double()
    qmodule = igq.quantize(attention(2).double(), igq.QuantSpec(groups=3))
    statistics = collect(qmodule, [(tokens, size)])
    fit(qmodule, statistics)
    return qmodule, tokens, size, statistics


def mmdet_inputs(module, tokens, size):
    """What mmdet's own attention feeds to its layers: (name, value)s."""
    seen = {}
    handles = [
        child.register_forward_hook(
            lambda m, args, out, name=name: seen.update({name: (args[0], out)})
        )
        for name, child in module.w_msa.named_children()
    ]
    run(module, tokens, size)
    for handle in handles:
        handle.remove()
    return seen


def padding_mask(size, shift):
    """Which window positions hold a token, with mmdet's own partition."""
    grid = torch.ones(1, *size, 1)
    grid = F.pad(grid, (0, 0, 0, -size[1] % WINDOW, 0, -size[0] % WINDOW))
    grid = grid.roll((-shift, -shift), (1, 2))
    windows = ShiftWindowMSA.window_partition(attention(shift), grid)
    return windows.view(-1, WINDOW**2).bool()


def test_padding_is_left_out_of_the_statistics(calibrated):
    qmodule, tokens, size, statistics = calibrated
    seen = mmdet_inputs(attention(2).double(), tokens, size)
    real = padding_mask(size, 2)
    assert not real.all()
    # channel ranges: those of the tokens, per image, in both projections
    qkv = statistics.observers['w_msa.qkv.input_quantizer'][ChannelRanges]
    points = [t.view(2, 8) for t in qkv.points()[:2]]
    torch.testing.assert_close(points[0], tokens.amin(1))
    torch.testing.assert_close(points[1], tokens.amax(1))
    proj = seen['proj'][0].view(2, -1, WINDOW**2, 8)[:, real]
    ranges = statistics.observers['w_msa.proj.input_quantizer']
    lower, upper, _ = ranges[ChannelRanges].points()
    torch.testing.assert_close(lower.view(2, 8), proj.amin(1))
    torch.testing.assert_close(upper.view(2, 8), proj.amax(1))
    # softmax rows: of real queries only
    rows = seen['softmax'][1].view(2, -1, 2, WINDOW**2, WINDOW**2)
    rows = rows.transpose(2, 3)[:, real].reshape(-1, WINDOW**2)
    observer = statistics.observers['w_msa.softmax_quantizer'][RowMaxima]
    maxima, counts = observer.points()
    assert counts.sum() == len(rows) == 2 * 63 * 2
    found = maxima.repeat_interleave(counts)
    expected = rows.amax(1).sort().values
    torch.testing.assert_close(found, expected, rtol=2.0**-11, atol=0)
    # Q, K and V: of tokens only
    values = seen['qkv'][1].view(2, -1, WINDOW**2, 3, 8)[:, real]
    for i, name in enumerate('qkv'):
        observer = statistics.observers[f'w_msa.{name}_quantizer'][Histogram]
        assert observer.counts.sum() == 2 * 63 * 8
        part = values[:, :, i]
        assert observer.minimum == pytest.approx(part.min().item())
        assert observer.maximum == pytest.approx(part.max().item())


def test_padding_is_quantized_like_tokens(calibrated, rand):
    """The whole of mmdet's attention with every operand by the oracle."""
    qmodule, tokens, size, _ = calibrated
    real = padding_mask(size, 2)
    image = rand(1, 63, 8, shift=3.0).double()
    expected = oracle_attention(qmodule, image, size, real)
    found = run(qmodule, image, size)
    error = (found - expected).norm() / expected.norm()
    assert error < 1e-6


def oracle_attention(qmodule, image, size, real):
    """mmdet's ShiftWindowMSA, its layers replaced by ones of the oracle."""
    module = attention(2).double()
    w_msa, quantized = module.w_msa, qmodule.w_msa

    def linear(name):
        quantizer = getattr(quantized, name).input_quantizer
        layer = getattr(w_msa, name)

        def forward(windows):
            flat = windows.reshape(-1, 8)
            _, _, values = oracle.channel_groups(
                flat.tolist(),
                quantizer.lower.tolist(),
                quantizer.upper.tolist(),
                4,
                counted=flat[real.flatten()].tolist(),
            )
            values = torch.tensor(values).double().view(windows.shape)
            return F.linear(values, layer.weight, layer.bias)

        return forward

    def static(x, quantizer):
        lower, upper = quantizer.lower.item(), quantizer.upper.item()
        pair = oracle.qparams(lower, upper, 4)
        values = [
            oracle.dequantize(oracle.quantize(v, *pair, 4), *pair)
            for v in x.flatten().tolist()
        ]
        return torch.tensor(values).double().view(x.shape)

    to_qkv, to_out = linear('qkv'), linear('proj')

    def qkv(windows):
        parts = to_qkv(windows).chunk(3, -1)
        quantizers = (
            quantized.q_quantizer,
            quantized.k_quantizer,
            quantized.v_quantizer,
        )
        return torch.cat(
            [static(p, q) for p, q in zip(parts, quantizers, strict=True)], -1
        )

    def softmax(scores):
        rows = scores.softmax(-1).view(-1, WINDOW**2)
        uppers = quantized.softmax_quantizer.upper.tolist()
        _, _, values = oracle.row_groups(rows.tolist(), uppers, 4)
        return torch.tensor(values).double().view(scores.shape)

    for name, forward in (
        ('qkv', qkv),
        ('proj', to_out),
        ('softmax', softmax),
    ):
        getattr(w_msa, name).forward = forward
    return run(module, image, size)


@pytest.fixture(scope='module')
def swin():
    torch.manual_seed(0)
    model = SwinTransformer(
        pretrain_img_size=64,
        embed_dims=16,
        depths=[2, 2, 1, 1],
        num_heads=[1, 2, 4, 8],
        window_size=4,
        convert_weights=False,
    )
    model.eval()  # which returns nothing
    return model


@pytest.mark.parametrize('size', [(64, 64), (50, 71), (33, 40), (8, 8)])
def test_swin_float_equals_mmdet(swin, rand, size):
    qmodel = igq.quantize(swin, igq.QuantSpec())
    x = rand(2, 3, *size)
    with torch.no_grad():
        for found, expected in zip(qmodel(x), swin(x), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('method', ['igq', 'layerwise', 'upper_bound'])
def test_swin_batch_of_three_is_three_batches(swin, rand, method):
    qmodel = igq.quantize(swin, igq.QuantSpec(method=method, groups=4))
    images = rand(3, 3, 50, 71)
    images[1] *= 5  # images of different groups
    igq.calibrate(qmodel, [images])
    together, alone = each_alone(qmodel, qmodel, images, images.split(1))
    for level, parts in zip(together, zip(*alone, strict=True), strict=True):
        near(torch.cat(parts), level, BETWEEN)


def test_swin_runs_where_gradients_are_recorded(swin, rand):
    qmodel = igq.quantize(swin, igq.QuantSpec(groups=4))
    x = rand(1, 3, 40, 40)
    igq.calibrate(qmodel, [x])
    with torch.no_grad():
        expected = qmodel(x)
    for found, level in zip(qmodel(x), expected, strict=True):
        assert torch.equal(found, level)
