"""Sums of integers do not depend on the order of their terms."""

import pytest
import torch
from torch import nn

from igq_mmdet.modules import QuantLinear
from igq_mmdet.modules.base import holds_integers
from igq_mmdet.modules.layers.rescale import rescale


def layer_of(config, weight, bits=4):
    settings = config(method='layerwise', w_bits=bits, a_bits=bits)
    layer = QuantLinear(settings, weight, torch.zeros(len(weight)))
    layer.input_quantizer.set_bounds(-torch.ones(1), torch.ones(1))
    layer.freeze()
    return layer


@pytest.mark.parametrize('threads', [1, 2])
@pytest.mark.parametrize('bits', [4, 8])
def test_order_of_channels_and_tokens_is_free(config, rand, threads, bits):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    weight, x = rand(33, 200), rand(1, 1300, 200)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    layer = layer_of(config, weight, bits)
    out = layer(x)
    moved = layer_of(config, weight[:, order], bits)
    assert torch.equal(moved(x[..., order]), out)
    assert torch.equal(layer(x[:, 7:8]), out[:, 7:8])
    torch.set_num_threads(before)


@pytest.mark.parametrize('inputs, exact', [(257, True), (4096, False)])
def test_the_bound_is_2_to_the_24(config, inputs, exact):
    """255 * 255 * 257 < 2^24; beyond it the sum is rounded like any."""
    layer = layer_of(config, torch.ones(1, inputs), 8)
    codes = torch.full((1, inputs), 255, dtype=torch.uint8)
    layer.adopt_codes(codes, torch.ones(1, 1), torch.zeros(1, 1))
    layer.input_quantizer.set_bounds(torch.zeros(1), torch.ones(1) * 255)
    x = torch.full((1, 1, inputs), 255.0)
    x[..., 0] = 254
    total = 255 * (255 * inputs - 1)
    assert (total < 2**24) == exact
    found = layer(x).item()
    if exact:
        assert found == total
    assert found == pytest.approx(total, rel=1e-5)


def test_half_precision_has_no_grid():
    assert holds_integers(torch.zeros(1))
    assert not holds_integers(torch.zeros(1).half())
    with torch.autocast('cpu', dtype=torch.bfloat16):
        assert not holds_integers(torch.zeros(1))


def test_under_autocast_it_computes_as_before(config, rand):
    layer, x = layer_of(config, rand(6, 9)), rand(1, 5, 9)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        low = layer(x)
    assert low.dtype is torch.bfloat16
    torch.testing.assert_close(
        low.float(), layer(x), rtol=0.05, atol=0.05 * layer(x).abs().max()
    )


@pytest.mark.parametrize('shape, axis', [((5, 7), -1), ((2, 3, 5, 4), -3)])
@pytest.mark.parametrize('with_bias', [True, False])
def test_rescale_rounds_twice(rand, shape, axis, with_bias):
    sums = rand(*shape)
    channels = shape[axis]
    scale = rand(channels)
    bias = rand(channels) if with_bias else None
    over = (-1,) + (1,) * (-axis - 1)
    expected = sums * scale.view(over)
    if with_bias:
        expected = expected + bias.view(over)
    strided = sums.transpose(0, 1).contiguous().transpose(0, 1)
    assert torch.equal(rescale(strided, scale, bias, axis), expected)
    assert rescale(sums, scale, bias, axis) is sums
    assert torch.equal(sums, expected)
    assert rescale(sums[:0], scale, bias, axis).numel() == 0


def test_no_gradient_is_recorded(config, rand):
    layer = layer_of(config, rand(6, 9))
    layer.bias = nn.Parameter(torch.zeros(6))
    assert not layer(rand(1, 5, 9).requires_grad_()).requires_grad
