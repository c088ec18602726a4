"""Convolutions: static inputs, weights as codes, an oracle in loops."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from igq_mmdet.modules import QuantConv2d
from igq_mmdet.quantizers import dequantize_weight
from tests import oracle

VARIANTS = [
    dict(),
    dict(stride=2, padding=1, bias=False),
    dict(padding='same', dilation=2),
    dict(groups=2),
    dict(padding=1, padding_mode='reflect'),
    dict(padding=(0, 2), padding_mode='circular'),
]


@pytest.mark.parametrize('options', VARIANTS)
def test_float_until_calibrated_then_quantized(config, rand, options):
    conv = nn.Conv2d(4, 6, 3, **options)
    layer = QuantConv2d.from_float(conv, config())
    x = rand(2, 4, 7, 9)
    expected = conv(x)
    assert torch.equal(layer(x), expected)
    layer.input_quantizer.set_bounds(-torch.ones(1), torch.ones(1) * 2)
    weight = conv.weight.detach().clone()
    layer.freeze()
    pair = oracle.qparams(-1, 2, 4)
    values = [
        oracle.dequantize(oracle.quantize(v, *pair, 4), *pair)
        for v in x.flatten().tolist()
    ]
    with torch.no_grad():
        conv.weight.copy_(layer.effective_weight())
    out = conv(torch.tensor(values).view(x.shape))
    torch.testing.assert_close(layer(x), out)
    codes, pairs, _ = oracle.weight_quantizer(
        weight.flatten(1).tolist(), 4, config().weight_percentiles
    )
    assert layer.weight_codes.flatten(1).tolist() == codes
    assert layer.weight_codes.shape == weight.shape
    found = torch.cat([layer.weight_scale, layer.weight_zero_point], 1)
    assert found.tolist() == [list(p) for p in pairs]


def test_by_hand(config):
    """A 1 x 1 convolution, worked out with integers."""
    conv = nn.Conv2d(2, 1, 1)
    with torch.no_grad():
        conv.weight.copy_(torch.tensor([[[[-1.0]], [[2.0]]]]))
        conv.bias.fill_(0.5)
    layer = QuantConv2d.from_float(conv, config(weight_percentiles=(0,)))
    layer.input_quantizer.set_bounds(torch.zeros(1), torch.tensor([15.0]))
    layer.freeze()
    assert layer.weight_codes.flatten().tolist() == [0, 15]
    assert layer.weight_zero_point.item() == 5  # round(1 / 0.2)
    x = torch.tensor([[[[3.4]], [[20.0]]]])  # codes 3 and 15
    assert layer(x).item() == pytest.approx(-3 + 2 * 15 + 0.5)


def test_workload_and_no_images(config, rand):
    layer = QuantConv2d.from_float(nn.Conv2d(4, 6, 3, groups=2), config())
    layer.observing = True
    assert layer(rand(0, 4, 7, 7)).shape == (0, 6, 5, 5)
    layer(rand(2, 4, 7, 7))
    assert layer.workload.calls == 2
    assert layer.workload.sizes == {'macs': 2 * 6 * 25 * 2 * 9}
    layer.observing = False
    layer.input_quantizer.set_bounds(-torch.ones(1), torch.ones(1))
    assert layer(rand(0, 4, 7, 7)).shape == (0, 6, 5, 5)


def test_one_image_does_not_touch_another(config, rand):
    layer = QuantConv2d.from_float(nn.Conv2d(4, 6, 3), config())
    layer.input_quantizer.set_bounds(-torch.ones(1), torch.ones(1))
    layer.freeze()
    x = rand(2, 4, 7, 7)
    single = torch.cat([layer(x[:1]), layer(x[1:])])
    torch.testing.assert_close(layer(x), single)
    weight = dequantize_weight(
        layer.weight_codes.flatten(1),
        layer.weight_scale,
        layer.weight_zero_point,
    )
    plain = F.conv2d(layer.input_quantizer(x), weight.view(6, 4, 3, 3))
    torch.testing.assert_close(layer(x), plain + layer.bias[:, None, None])
