import random

import pytest
import torch

from igq_mmdet.kernels.call import address
from igq_mmdet.kernels.structs import CodesStruct
from igq_mmdet.methods.fixed import FixedGroupQuantizer
from igq_mmdet.methods.igq_integral import (
    IntegralGroupQuantizer,
    max_multiple,
    round_base,
)
from igq_mmdet.modules import QuantLinear, instances
from igq_mmdet.operators import definition
from igq_mmdet.quantizers import max_code
from igq_mmdet.runtime import library
from igq_mmdet.runtime.linear import IntegerLinear
from tests import oracle

METHODS = ['igq_integral', 'igq', 'sorted']


@pytest.fixture(params=METHODS)
def make(request, config, rand):
    """Makes a frozen layer with groups of every kind."""

    def build(inputs, outputs, bias=True, **changes):
        settings = config(method=request.param, groups=4, **changes)
        weight = rand(outputs, inputs, spread=0.5)
        layer = QuantLinear(settings, weight, rand(outputs) if bias else None)
        layer.freeze()
        set_groups(layer.input_quantizer)
        return layer

    return build


def set_groups(quantizer):
    """Steps and zero points as uneven as the kind of groups allows."""
    top, groups = max_code(quantizer.bits), quantizer.groups
    base = round_base(torch.tensor([0.02 * 16 / (top + 1)]))
    zero = torch.tensor([top // 2, 0, top, top // 3])[:groups]
    if isinstance(quantizer, IntegralGroupQuantizer):
        most = max_multiple(quantizer.bits)
        step = torch.linspace(1, most, groups).round() * base
        quantizer.set_bounds(-zero * step, (top - zero) * step, base)
        return
    step = torch.tensor([1.0, 2.7, 6.1, 17.3])[:groups] * base
    bounds = -zero * step, (top - zero) * step
    if isinstance(quantizer, FixedGroupQuantizer):
        channels = torch.arange(len(quantizer.group_index))
        bounds += (channels * 7 % 5 % groups,)
    quantizer.set_bounds(*bounds)


def oracle_output(layer, image):
    quantizer = layer.input_quantizer
    bias = layer.bias
    groups = None
    if isinstance(quantizer, FixedGroupQuantizer):
        groups = quantizer.group_index.tolist()
    return torch.tensor(
        oracle.grouped_integer_linear(
            image.tolist(),
            quantizer.lower.tolist(),
            quantizer.upper.tolist(),
            quantizer.bits,
            (
                layer.weight_codes.tolist(),
                layer.weight_scale.double().view(-1).tolist(),
                layer.weight_zero_point.view(-1).tolist(),
            ),
            [0.0] * layer.out_features if bias is None else bias.tolist(),
            groups,
        ),
        dtype=torch.float64,
    )


def check(layer, x):
    assert IntegerLinear.supports(layer) is None
    integer = IntegerLinear.from_quantized(layer)
    found = integer(x)
    assert torch.equal(found, layer(x))
    return found


@pytest.mark.parametrize('inputs', [1, 3, 4, 15, 17, 63, 64, 65])
@pytest.mark.parametrize('tokens', [1, 2, 12, 13])
def test_equals_the_oracle(kernels, make, rand, inputs, tokens):
    layer = make(inputs, 5)
    x = rand(1, tokens, inputs, spread=0.3, shift=0.5)
    found = check(layer, x)
    expected = oracle_output(layer, x[0])
    size = float(expected.abs().amax())
    torch.testing.assert_close(
        found[0].double(), expected, rtol=0, atol=1e-5 * size
    )


@pytest.mark.parametrize('outputs', [1, 31, 32, 33, 64, 70])
@pytest.mark.parametrize('w_bits, a_bits', [(4, 4), (8, 8), (7, 2), (2, 6)])
def test_equals_the_simulation(kernels, make, rand, outputs, w_bits, a_bits):
    layer = make(37, outputs, w_bits=w_bits, a_bits=a_bits)
    check(layer, rand(1, 29, 37))


def test_without_bias(kernels, make, rand):
    check(make(16, 16, bias=False), rand(1, 8, 16))


@pytest.mark.parametrize('seed', range(12))
def test_random_shapes(kernels, make, rand, seed):
    draw = random.Random(seed)
    inputs, outputs = draw.randint(1, 150), draw.randint(1, 90)
    bits = dict(w_bits=draw.randint(2, 8), a_bits=draw.randint(2, 8))
    layer = make(inputs, outputs, **bits)
    # weights of one sign, whose zero point is no code
    layer.weight_zero_point.add_(draw.choice([-100, 0, 100]))
    x = rand(1, draw.randint(1, 60), inputs, shift=draw.random())
    found = check(layer, x)[0, :, :3]
    layer.out_features, layer.bias = 3, layer.bias[:3]
    for name in ('weight_codes', 'weight_scale', 'weight_zero_point'):
        setattr(layer, name, getattr(layer, name)[:3])
    expected = oracle_output(layer, x[0])
    size = max(float(expected.abs().amax()), 1.0)
    torch.testing.assert_close(
        found.double(), expected, rtol=0, atol=1e-5 * size
    )


def test_one_group(kernels, config, rand):
    for method in ('layerwise', 'igq', 'sorted', 'repq'):
        settings = config(method=method, groups=1)
        layer = QuantLinear(settings, rand(8, 20), rand(8))
        layer.freeze()
        layer.input_quantizer.set_bounds(
            torch.tensor([-1.0]), torch.tensor([3.0])
        )
        check(layer, rand(1, 9, 20))


def test_what_pads_a_folded_layernorm(kernels, config, rand):
    layer = QuantLinear(config(method='repq'), rand(8, 20), rand(8))
    layer.freeze()
    quantizer = layer.input_quantizer
    quantizer.set_bounds(torch.tensor([-1.0]), torch.tensor([3.0]))
    quantizer.zero.copy_(rand(20))
    x = rand(2, 9, 20)
    x[:, 6:] = 0
    with instances(tokens=6):
        padded = check(layer, x)
    assert not torch.equal(padded, IntegerLinear.from_quantized(layer)(x))


def test_all_channels_in_one_of_the_groups(kernels, make, rand):
    layer = make(24, 8)
    quantizer = layer.input_quantizer
    x = rand(1, 30, 24, spread=0.0) * 1e-3
    lower, upper = x[0].amin(0), x[0].amax(0)
    assert (lower < upper).all()
    if isinstance(quantizer, FixedGroupQuantizer):
        quantizer.set_bounds(
            quantizer.lower, quantizer.upper, torch.full((24,), 2)
        )
    else:
        assert len(set(quantizer.assign(x[0]).tolist())) == 1
    check(layer, x)


def test_every_channel_in_a_group_of_its_own(kernels, config, rand):
    layer = QuantLinear(config(groups=9), rand(5, 9), rand(5))
    layer.freeze()
    upper = torch.arange(1.0, 10)
    layer.input_quantizer.set_bounds(-upper, upper * 2)
    x = (torch.rand(1, 20, 9) * 3 - 1) * upper
    check(layer, x)


def test_constant_channels(kernels, make, rand):
    layer = make(24, 8)
    x = rand(1, 1, 24).expand(1, 30, 24)
    check(layer, x)


@pytest.mark.parametrize('bound', [-2.5, 0.0, 2.5])
def test_groups_that_are_one_constant(kernels, config, rand, bound):
    layer = QuantLinear(config(), rand(8, 24), rand(8))
    layer.freeze()
    bounds = torch.tensor([bound, bound, -1.0, -4.0])
    layer.input_quantizer.set_bounds(bounds, bounds.clamp(min=bound))
    x = torch.full((1, 30, 24), bound)
    x[..., 12:] = rand(1, 30, 12)
    check(layer, x)


@pytest.mark.parametrize('shift', [-7.0, 7.0])
def test_ranges_without_zero(kernels, make, rand, shift):
    layer = make(24, 8)
    quantizer = layer.input_quantizer
    step = quantizer.scale
    lower = (shift / step).round() * step - step * 7 * (shift < 0)
    quantizer.set_bounds(lower - 0 * step, lower + 15 * step)
    assert ((quantizer.zero_point < 0) | (quantizer.zero_point > 15)).any()
    check(layer, rand(1, 30, 24) * 0.3 + shift)


def test_no_tokens(kernels, make):
    layer = make(24, 8)
    integer = IntegerLinear.from_quantized(layer)
    assert integer(torch.zeros(0, 24)).shape == (0, 8)
    assert integer(torch.zeros(1, 0, 24)).shape == (1, 0, 8)


def test_images_are_instances_and_padding_is_not_counted(kernels, make, rand):
    layer = make(24, 8)
    integer = IntegerLinear.from_quantized(layer)
    x = rand(3, 10, 24)
    x[:, 7:] *= 9
    with instances(tokens=7):
        together = check(layer, x)
        for i in range(3):
            assert torch.equal(together[i], integer(x[i : i + 1])[0])
    rois = rand(9, 24)
    with instances(rows=(4, 0, 5)):
        together = check(layer, rois)
    with instances(rows=(5,)):
        assert torch.equal(integer(rois[4:]), together[4:])


@pytest.mark.parametrize('w_bits', [4, 8])
def test_kinds_of_kernels_agree_bit_for_bit(
    kernels, monkeypatch, make, rand, w_bits
):
    layer = make(67, 45, w_bits=w_bits)
    x = rand(1, 50, 67)
    integer = IntegerLinear.from_quantized(layer)
    found = integer(x)
    monkeypatch.setattr(definition, 'library', lambda: None)
    assert torch.equal(found, integer(x))


def test_threads_change_nothing(kernels, make, rand):
    layer = make(67, 45)
    x = rand(1, 300, 67)
    integer = IntegerLinear.from_quantized(layer)
    expected = integer(x)
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3 - min(threads, 2))
        assert torch.equal(integer(x), expected)
    finally:
        torch.set_num_threads(threads)


def test_codes_are_those_of_the_simulation(kernels, make, rand):
    layer = make(67, 4)
    x = rand(41, 67)
    # halves, where a rounding that differs shows
    x[:20] = (x[:20] / 0.02).round() * 0.02 + 0.01
    if kernels == 'none':
        pytest.skip('there torch computes both')
    quantizer = layer.input_quantizer
    groups = quantizer.assign(x)
    multiple = torch.ones(67)
    if isinstance(quantizer, IntegralGroupQuantizer):
        multiple = quantizer.multiple[groups]
    step, zero = quantizer.scale[groups], quantizer.zero_point[groups]
    simulated = torch.round(quantizer(x) / step) + zero
    expected = (simulated * multiple).to(torch.uint8)
    how = (step, -zero, max_code(quantizer.bits) - zero, multiple)
    found = torch.empty(x.shape, dtype=torch.uint8)
    struct = CodesStruct(*map(address, how))
    library(kernels).call('codes', x, *x.shape, struct, found)
    assert torch.equal(found, expected)
