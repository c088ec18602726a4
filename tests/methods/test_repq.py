"""RepQ-ViT's folding leaves the function and gives a quantizer a channel."""

import copy

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.calibration import collect, fit
from igq_mmdet.fitting.percentile import order_statistic
from igq_mmdet.methods.layerwise import StaticQuantizer
from igq_mmdet.methods.repq import (
    FoldedQuantizer,
    LogSqrt2Quantizer,
    RepQ,
    fit_channels,
    fit_log_sqrt2,
)
from igq_mmdet.modules import QuantLinear
from igq_mmdet.observers.channel_histogram import ChannelHistogram
from igq_mmdet.quantizers import fake_quantize, qparams
from tests import oracle

timm_block = pytest.importorskip('timm.models.vision_transformer').Block


@pytest.fixture
def block():
    torch.manual_seed(0)
    block = timm_block(10, 2, mlp_ratio=0.7).eval()
    with torch.no_grad():
        for norm in (block.norm1, block.norm2):
            norm.weight.copy_(torch.randn(10).exp())
            norm.bias.copy_(torch.randn(10) * 2)
    return block


def before_norm2(block, images):
    """What the float block hands to its second LayerNorm."""
    seen = []
    handle = block.norm2.register_forward_pre_hook(
        lambda module, args: seen.append(args[0])
    )
    with torch.no_grad():
        block(images)
    handle.remove()
    return seen[0]


def quantized(block, images, **spec):
    spec = igq.QuantSpec(method='repq', **spec)
    qmodel = igq.quantize(block, spec)
    statistics = collect(qmodel, [images])
    fit(qmodel, statistics)
    return qmodel, statistics


@pytest.mark.parametrize('strict', [False, True])
@pytest.mark.parametrize('bits', [3, 4, 8])
def test_codes_are_those_of_a_quantizer_a_channel(block, rand, bits, strict):
    images = rand(3, 50, 10)
    qmodel, statistics = quantized(
        block, images, a_bits=bits, strict_zero_point=strict
    )
    histogram = statistics.observers['mlp.fc1.input_quantizer']
    lower, upper = fit_channels(
        histogram[ChannelHistogram],
        bits,
        igq.QuantSpec().static_percentiles,
        strict,
    )
    scale, zero_point = qparams(lower, upper, bits, strict)
    inside = before_norm2(block, images)
    x = block.norm2(inside).detach().reshape(-1, 10)
    expected = x / scale
    sure = ((expected % 1) - 0.5).abs() > 1e-3  # no tie of float32
    folded = qmodel.norm2(inside).reshape(-1, 10)
    quantizer = qmodel.mlp.fc1.input_quantizer
    found = torch.round(folded / quantizer.scale) + quantizer.zero_point
    expected = expected.round() + zero_point
    top = 2**bits - 1
    assert sure.float().mean() > 0.9
    assert torch.equal(found.clamp(0, top)[sure], expected.clamp(0, top)[sure])
    # and the layer takes the scales back: W x_hat + b
    layer = block.mlp.fc1
    want = layer(fake_quantize(x, scale, zero_point, bits))
    got = qmodel.mlp.fc1(folded)
    rows = sure.all(1)
    torch.testing.assert_close(got[rows], want[rows], rtol=1e-4, atol=1e-4)


def test_folding_leaves_the_float_function(block, rand):
    images = rand(2, 20, 10)
    qmodel, _ = quantized(block, images)
    folded = copy.deepcopy(block)
    folded.norm1, folded.norm2 = qmodel.norm1, qmodel.norm2
    for name in ('attn.qkv', 'mlp.fc1'):
        layer = folded.get_submodule(name)
        layer.weight = qmodel.get_submodule(name).weight
        layer.bias = qmodel.get_submodule(name).bias
    for norm in ('norm1', 'norm2'):
        assert not torch.equal(
            folded.get_submodule(norm).weight, block.get_submodule(norm).weight
        )
    torch.testing.assert_close(
        folded(images), block(images), rtol=1e-4, atol=1e-4
    )


def test_what_has_no_layernorm_is_layerwise(block, rand):
    qmodel, _ = quantized(block, rand(1, 9, 10))
    assert type(qmodel.mlp.fc2.input_quantizer) is StaticQuantizer
    assert type(qmodel.mlp.fc1.input_quantizer) is FoldedQuantizer
    block.norm2 = nn.LayerNorm(10, elementwise_affine=False)
    other = igq.quantize(block, igq.QuantSpec(method='repq'))
    assert type(other.mlp.fc1.input_quantizer) is StaticQuantizer


def test_saved_and_loaded_bit_for_bit(block, rand, tmp_path):
    block.mlp.fc1 = nn.Linear(10, 7, bias=False)  # as Swin's reduction
    fresh = copy.deepcopy(block)
    for parameter in fresh.parameters():
        nn.init.normal_(parameter)
    images = rand(2, 20, 10)
    before = copy.deepcopy(block.state_dict())
    qmodel = igq.quantize(block, igq.QuantSpec(method='repq'))
    igq.calibrate(qmodel, [images])
    igq.save(qmodel, tmp_path / 'q.safetensors')
    loaded = igq.load(fresh, tmp_path / 'q.safetensors')
    assert torch.equal(loaded(images), qmodel(images))
    for key, value in block.state_dict().items():  # float model untouched
        assert torch.equal(value, before[key])


def test_bounds_of_channels_are_the_oracles(rand):
    x = rand(400, 4, shift=1.0)
    percents = igq.QuantSpec().static_percentiles
    histogram = ChannelHistogram('fc')
    histogram.update(x)
    lower, upper = fit_channels(histogram, 3, percents)
    for c, column in enumerate(x.T):
        low, high = oracle.static_bounds(column.tolist(), 3, percents)
        # a bin may be this part of the span
        width = (column.max() - column.min()).item() / 2**8
        assert lower[c].item() == pytest.approx(low, abs=width)
        assert upper[c].item() == pytest.approx(high, abs=width)


def test_the_scale_of_softmax_rows_has_the_least_error(rand):
    rows = rand(200, 9, spread=0).mul(3).softmax(1)
    values, counts = rows.flatten().unique(return_counts=True)
    percents = (50, 90, 99, 100)
    _, scale = fit_log_sqrt2(values, counts, 3, percents)
    errors = {}
    for percent in percents:
        bound = order_statistic(values, counts.cumsum(0), percent)
        quantizer = LogSqrt2Quantizer(3)
        quantizer.set_bounds(torch.zeros(1), bound)
        errors[float(bound)] = float((quantizer(rows) - rows).square().sum())
    assert len(errors) == len(percents)
    assert float(scale) == min(errors, key=errors.get)


def test_shifted_windows_pad_with_what_zero_has_become(demo_model, rand):
    """Swin pads zeros after norm1; the folded block pads their image."""
    block = demo_model.backbone.stages[0].blocks[1]
    spec = igq.QuantSpec(
        w_bits=8, a_bits=8, method='repq', include=('*.attn.*',)
    )
    # a channel of one narrow range has no code for zero, padded or not
    x, size = rand(1, 9 * 10, 32, spread=0), (9, 10)

    class Alone(nn.Module):
        def __init__(self):
            super().__init__()
            self.block = copy.deepcopy(block)
            nn.init.uniform_(self.block.norm1.bias, -1.5, 1.5)

        def forward(self, x):
            return self.block.attn(self.block.norm1(x), size)

    error = wrong = 0.0
    for _ in range(8):  # draws of the biases
        model = Alone().eval()
        qmodel = igq.quantize(model, spec)
        igq.calibrate(qmodel, [x])
        exact = model(x)
        error += float((qmodel(x) - exact).norm() / exact.norm())
        qmodel.block.attn.w_msa.qkv.input_quantizer.zero.zero_()
        wrong += float((qmodel(x) - exact).norm() / exact.norm())
    assert 3 * error < wrong, (error, wrong)


def test_fold_wants_a_layer_that_is_not_frozen(config):
    layer = QuantLinear.from_float(nn.Linear(3, 2), config(method='repq'))
    layer.freeze()
    with pytest.raises(AssertionError):
        RepQ().fold(nn.LayerNorm(3), layer, torch.zeros(3), torch.ones(3))
