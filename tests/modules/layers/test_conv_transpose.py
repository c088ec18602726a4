"""Transposed convolutions: output channels lie on the second axis."""

import pytest
import torch
from torch import nn

from igq_mmdet.errors import SpecError
from igq_mmdet.modules import QuantConvTranspose2d
from tests import oracle


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(stride=2, padding=1, output_padding=1),
        dict(dilation=2, bias=False),
    ],
)
def test_codes_are_per_output_channel(config, rand, options):
    deconv = nn.ConvTranspose2d(4, 3, 2, **options)
    with torch.no_grad():  # channels of ranges that cannot share a scale
        deconv.weight.mul_(torch.tensor([0.01, 1, 100]).view(1, 3, 1, 1))
    layer = QuantConvTranspose2d.from_float(deconv, config())
    x = rand(2, 4, 5, 6)
    assert torch.equal(layer(x), deconv(x))
    weight = deconv.weight.detach().clone()
    layer.input_quantizer.set_bounds(-torch.ones(1), torch.ones(1))
    layer.freeze()
    rows = weight.transpose(0, 1).flatten(1).tolist()
    codes, pairs, _ = oracle.weight_quantizer(
        rows, 4, config().weight_percentiles
    )
    assert layer.weight_codes.shape == weight.shape
    found = layer.weight_codes.transpose(0, 1).flatten(1)
    assert found.tolist() == codes
    back = layer.effective_weight()
    for channel, (scale, zero_point) in enumerate(pairs):
        values = [
            oracle.dequantize(q, scale, zero_point) for q in codes[channel]
        ]
        torch.testing.assert_close(
            back[:, channel].flatten(), torch.tensor(values)
        )
    with torch.no_grad():
        deconv.weight.copy_(back)
    expected = deconv(layer.input_quantizer(x))
    torch.testing.assert_close(layer(x), expected)


def test_no_detections_and_workload(config, rand):
    layer = QuantConvTranspose2d.from_float(
        nn.ConvTranspose2d(4, 3, 2, 2), config()
    )
    layer.observing = True
    layer(rand(3, 4, 5, 5))
    assert layer.workload.sizes == {'macs': 3 * 4 * 25 * 3 * 4}
    layer.observing = False
    layer.input_quantizer.set_bounds(-torch.ones(1), torch.ones(1))
    assert layer(rand(0, 4, 5, 5)).shape == (0, 3, 10, 10)


def test_groups_are_refused_by_name(config):
    deconv = nn.ConvTranspose2d(4, 4, 2, groups=2)
    with pytest.raises(SpecError, match='^layer: .* groups=2 .* exclude it'):
        QuantConvTranspose2d.from_float(deconv, config())
