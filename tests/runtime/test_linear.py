import pytest
import torch

from igq_mmdet.modules import QuantLinear, instances
from igq_mmdet.quantizers import (
    IntegralGroupQuantizer,
    max_code,
    max_multiple,
    round_base,
)
from igq_mmdet.runtime.linear import IntegerLinear
from igq_mmdet.runtime.weights import ChannelCodes
from tests import oracle


def make(config, rand, inputs, outputs, bias=True, **changes):
    """A frozen layer with integral groups of every kind."""
    settings = config(method='igq_integral', groups=4, **changes)
    weight = rand(outputs, inputs, spread=0.5)
    layer = QuantLinear(settings, weight, rand(outputs) if bias else None)
    layer.freeze()
    bits, groups = settings.a_bits, settings.groups
    quantizer = layer.input_quantizer
    if isinstance(quantizer, IntegralGroupQuantizer):
        top, most = max_code(bits), max_multiple(bits)
        base = round_base(torch.tensor([0.02 * 16 / (top + 1)]))
        multiple = torch.linspace(1, most, groups).round()
        zero = torch.tensor([top // 2, 0, top, top // 3])[:groups]
        step = multiple * base
        quantizer.set_bounds(-zero * step, (top - zero) * step, base)
    else:
        quantizer.set_bounds(torch.tensor([-1.5]), torch.tensor([2.5]))
    return layer


def oracle_output(layer, image):
    quantizer = layer.input_quantizer
    bias = layer.bias
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
        ),
        dtype=torch.float64,
    )


def check(layer, x):
    assert IntegerLinear.supports(layer) is None
    integer = IntegerLinear.from_quantized(layer)
    found = integer(x)
    assert torch.equal(found, layer(x))
    return found


@pytest.mark.parametrize('inputs', [1, 3, 4, 15, 16, 17, 63, 64, 65, 100])
@pytest.mark.parametrize('tokens', [1, 2, 12, 13, 40])
def test_equals_the_oracle(kernels, config, rand, inputs, tokens):
    layer = make(config, rand, inputs, 5)
    x = rand(1, tokens, inputs, spread=0.3, shift=0.5)
    found = check(layer, x)
    expected = oracle_output(layer, x[0])
    size = float(expected.abs().amax())
    torch.testing.assert_close(
        found[0].double(), expected, rtol=0, atol=1e-5 * size
    )


@pytest.mark.parametrize('outputs', [1, 31, 32, 33, 64, 70])
@pytest.mark.parametrize('w_bits, a_bits', [(4, 4), (8, 8), (7, 2), (2, 6)])
def test_equals_the_simulation(kernels, config, rand, outputs, w_bits, a_bits):
    layer = make(config, rand, 37, outputs, w_bits=w_bits, a_bits=a_bits)
    check(layer, rand(1, 29, 37))


def test_without_bias(kernels, config, rand):
    check(make(config, rand, 16, 16, bias=False), rand(1, 8, 16))


def test_one_group(kernels, config, rand):
    layer = make(config, rand, 20, 8)
    layer.config = config(method='layerwise')
    static = QuantLinear(layer.config, rand(8, 20), rand(8))
    static.freeze()
    static.input_quantizer.set_bounds(torch.tensor([-1.0]), torch.ones(1) * 3)
    check(static, rand(1, 9, 20))


def test_all_channels_in_one_of_the_groups(kernels, config, rand):
    layer = make(config, rand, 24, 8)
    x = rand(1, 30, 24, spread=0.0) * 1e-3
    lower, upper = x[0].amin(0), x[0].amax(0)
    assert len(set(layer.input_quantizer.assign(x[0]).tolist())) == 1
    assert (lower < upper).all()
    check(layer, x)


def test_constant_channels(kernels, config, rand):
    layer = make(config, rand, 24, 8)
    x = rand(1, 1, 24).expand(1, 30, 24)
    check(layer, x)


@pytest.mark.parametrize('shift', [-7.0, 7.0])
def test_ranges_without_zero(kernels, config, rand, shift):
    layer = make(config, rand, 24, 8)
    quantizer = layer.input_quantizer
    step = quantizer.scale
    lower = (shift / step).round() * step
    quantizer.set_bounds(lower, lower + 15 * step, quantizer.base_scale)
    assert (quantizer.zero_point * shift < 0).all()
    check(layer, rand(1, 30, 24) * 0.3 + shift)


def test_no_tokens(kernels, config, rand):
    layer = make(config, rand, 24, 8)
    integer = IntegerLinear.from_quantized(layer)
    assert integer(torch.zeros(0, 24)).shape == (0, 8)
    assert integer(torch.zeros(1, 0, 24)).shape == (1, 0, 8)


def test_images_are_instances_and_padding_is_not_counted(
    kernels, config, rand
):
    layer = make(config, rand, 24, 8)
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


@pytest.mark.parametrize('sign', [-1, 1])
def test_sums_at_the_limit_do_not_overflow(kernels, config, sign):
    inputs = 12544
    settings = config(method='layerwise', w_bits=8, a_bits=8)
    layer = QuantLinear(settings, torch.ones(2, inputs))
    codes = torch.full((2, inputs), 255, dtype=torch.uint8)
    codes[1] = 0
    zero = torch.tensor([[0.0], [255.0]])
    layer.adopt_codes(codes, torch.ones(2, 1), zero)
    low = 0.0 if sign > 0 else -255.0
    layer.input_quantizer.set_bounds(
        torch.tensor([low]), torch.tensor([low + 255])
    )
    x = torch.full((1, 3, inputs), 255.0 * sign)
    assert IntegerLinear.supports(layer) is None
    found = IntegerLinear.from_quantized(layer)(x)
    total = float(torch.tensor(255 * 255 * inputs * sign).float())
    expected = torch.tensor([total, -total]).expand(1, 3, 2)
    assert torch.equal(found, expected)


def test_sums_that_could_overflow_are_refused(config):
    layer = QuantLinear(config(method='layerwise'), torch.ones(2, 12544))
    zero = torch.full((2, 1), 1e5)
    codes = torch.zeros(2, 12544, dtype=torch.uint8)
    layer.adopt_codes(codes, torch.ones(2, 1), zero)
    layer.input_quantizer.set_bounds(torch.zeros(1), torch.ones(1))
    assert '32 bits' in IntegerLinear.supports(layer)


def test_kinds_of_kernels_agree_bit_for_bit(kernels, config, rand):
    layer = make(config, rand, 67, 45)
    x = rand(1, 50, 67)
    codes = IntegerLinear.from_quantized(layer).channel_codes(x[0])
    from igq_mmdet.runtime.product import exact_product
    from igq_mmdet.runtime.weights import IntegerWeight

    weight = IntegerWeight.from_layer(
        layer.weight_codes,
        layer.weight_scale,
        layer.weight_zero_point,
        layer.bias,
        4,
    )
    base = layer.input_quantizer.base_scale
    expected = exact_product(codes.codes(x[0]), codes, weight, base)
    assert torch.equal(IntegerLinear.from_quantized(layer)(x)[0], expected)


def test_codes_are_those_of_the_simulation(kernels, config, rand):
    from igq_mmdet.runtime import library

    layer = make(config, rand, 67, 4)
    x = rand(41, 67)
    # halves, where a rounding that differs shows
    x[:20] = (x[:20] / 0.02).round() * 0.02 + 0.01
    integer = IntegerLinear.from_quantized(layer)
    how: ChannelCodes = integer.channel_codes(x)
    quantizer = layer.input_quantizer
    groups = quantizer.assign(x)
    step, zero = quantizer.scale[groups], quantizer.zero_point[groups]
    simulated = torch.round(quantizer(x) / step) + zero
    expected = (simulated * quantizer.multiple[groups]).to(torch.uint8)
    if kernels == 'none':
        found = how.codes(x).to(torch.uint8)
    else:
        found = torch.empty(x.shape, dtype=torch.uint8)
        library(kernels).call('codes', x, *x.shape, how.struct(), found)
    assert torch.equal(found, expected)
