import pytest
import torch
from torch import nn

from igq_mmdet.modules import QuantConv2d, QuantConvTranspose2d
from igq_mmdet.runtime.conv import IntegerConv2d
from igq_mmdet.runtime.conv_transpose import IntegerConvTranspose2d


def check(kind, layer, x):
    assert kind.supports(layer) is None
    assert torch.equal(kind.from_quantized(layer)(x), layer(x))


def frozen(kind, module, settings, low=-1.0, high=2.0):
    layer = kind.from_float(module, settings)
    layer.input_quantizer.set_bounds(torch.tensor([low]), torch.tensor([high]))
    layer.freeze()
    return layer


@pytest.mark.parametrize(
    'channels, outputs, kernel, padding, dilation, size',
    [
        (8, 12, 3, 1, 1, (5, 16)),
        (7, 13, 3, 1, 1, (6, 17)),
        (1, 1, 1, 0, 1, (1, 1)),
        (6, 25, 1, 0, 1, (3, 40)),
        (5, 3, (3, 5), (2, 1), 1, (7, 33)),
        (4, 4, 3, 2, 2, (9, 20)),
        (3, 14, 3, 0, 1, (14, 14)),
    ],
)
@pytest.mark.parametrize('w_bits, a_bits', [(4, 4), (8, 8)])
def test_conv_equals_the_simulation(
    kernels,
    config,
    rand,
    channels,
    outputs,
    kernel,
    padding,
    dilation,
    size,
    w_bits,
    a_bits,
):
    module = nn.Conv2d(
        channels, outputs, kernel, padding=padding, dilation=dilation
    )
    settings = config(w_bits=w_bits, a_bits=a_bits)
    layer = frozen(QuantConv2d, module, settings)
    check(IntegerConv2d, layer, rand(3, channels, *size))


@pytest.mark.parametrize(
    'channels, kernel, stride, padding, dilation, size',
    [
        (3, 4, 4, 0, 1, (16, 84)),
        (3, 4, 4, 0, 1, (19, 70)),
        (3, 7, 2, 3, 1, (15, 40)),
        (5, 3, 2, 1, 1, (9, 33)),
        (6, 1, 2, 0, 1, (8, 35)),
        (4, 3, (1, 3), (0, 2), (2, 2), (9, 50)),
        (4, 2, 5, 1, 1, (11, 31)),
        (3, 16, 16, 0, 1, (32, 48)),
    ],
)
@pytest.mark.parametrize('w_bits, a_bits', [(4, 8), (8, 8)])
def test_strides(
    kernels,
    config,
    rand,
    channels,
    kernel,
    stride,
    padding,
    dilation,
    size,
    w_bits,
    a_bits,
):
    module = nn.Conv2d(channels, 14, kernel, stride, padding, dilation)
    settings = config(w_bits=w_bits, a_bits=a_bits)
    layer = frozen(QuantConv2d, module, settings)
    check(IntegerConv2d, layer, rand(2, channels, *size))


def test_nothing_to_convolve(kernels, config, rand):
    layer = frozen(QuantConv2d, nn.Conv2d(4, 4, 3, padding=1), config())
    x = torch.zeros(0, 4, 14, 14)
    assert IntegerConv2d.from_quantized(layer)(x).shape == (0, 4, 14, 14)


def test_padding_needs_a_code_for_zero(config):
    padded, bare = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3)
    without_zero = [
        frozen(QuantConv2d, module, config(), 1.0, 2.0)
        for module in (padded, bare)
    ]
    assert 'no code' in IntegerConv2d.supports(without_zero[0])
    assert IntegerConv2d.supports(without_zero[1]) is None


def test_range_without_zero(kernels, config, rand):
    layer = frozen(QuantConv2d, nn.Conv2d(4, 4, 3), config(), 1.0, 2.0)
    check(IntegerConv2d, layer, rand(1, 4, 9, 9) + 1.5)


@pytest.mark.parametrize(
    'changes, reason',
    [
        ({'groups': 2}, 'groups'),
        ({'padding': 1, 'padding_mode': 'reflect'}, 'padding'),
    ],
)
def test_what_stays_simulated(config, changes, reason):
    layer = frozen(QuantConv2d, nn.Conv2d(4, 4, 3, **changes), config())
    assert reason in IntegerConv2d.supports(layer)


@pytest.mark.parametrize('kernel', [2, (2, 3), 1])
def test_transposed_equals_the_simulation(kernels, config, rand, kernel):
    module = nn.ConvTranspose2d(6, 5, kernel, stride=kernel)
    layer = frozen(QuantConvTranspose2d, module, config())
    check(IntegerConvTranspose2d, layer, rand(2, 6, 7, 18))


def test_overlapping_patches_stay_simulated(config):
    module = nn.ConvTranspose2d(6, 5, 3, stride=2)
    layer = frozen(QuantConvTranspose2d, module, config())
    assert 'overlap' in IntegerConvTranspose2d.supports(layer)
