"""The rows that rounding looks at: their products are the outputs."""

import pytest
import torch
from torch import nn

from igq_mmdet.modules import (
    QuantConv2d,
    QuantConvTranspose2d,
    QuantLinear,
    instances,
)
from igq_mmdet.modules.layers.static_input import StaticInputModule


def check(layer, x, bound=2.0):
    """Rows times weight is what the layer gives, float and quantized."""
    for _ in range(2):
        rows = layer.seen(x)
        weight = layer._rows(layer.effective_weight())
        own = weight.chunk(len(rows))
        parts = [r @ w.T for r, w in zip(rows, own, strict=True)]
        expected = torch.cat(parts, 1)
        if layer.bias is not None:
            expected = expected + layer.bias
        torch.testing.assert_close(
            layer.made(layer(x)), expected, rtol=1e-4, atol=1e-4
        )
        if not layer.frozen:
            quantizer = layer.input_quantizer
            low = torch.linspace(-bound, -bound / 2, quantizer.groups)
            quantizer.set_bounds(low, -low)
            layer.freeze()


CONVS = [
    dict(),
    dict(stride=2, padding=1),
    dict(padding=(0, 2), dilation=(2, 1)),
    dict(padding='same', groups=2, bias=False),
    dict(padding=1, padding_mode='reflect'),
]


@pytest.mark.parametrize('limit', [10, 4096])
@pytest.mark.parametrize('options', CONVS)
def test_convolutions(config, rand, monkeypatch, options, limit):
    monkeypatch.setattr(StaticInputModule, 'LIMIT', limit)
    conv = nn.Conv2d(4, 6, (3, 3), **options)
    layer = QuantConv2d.from_float(conv, config())
    x = rand(2, 4, 7, 9)
    groups = options.get('groups', 1)
    rows = layer.seen(x)
    assert rows.shape[0] == groups and rows.shape[2] == 36 // groups
    assert rows.shape[1] == min(limit, layer(x)[:, 0].numel())
    check(layer, x)


@pytest.mark.parametrize('limit', [10, 4096])
@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(stride=2),
        dict(stride=(3, 2), padding=1, output_padding=(2, 1)),
        dict(dilation=2, bias=False),
    ],
)
def test_transposed_convolutions(config, rand, monkeypatch, options, limit):
    monkeypatch.setattr(StaticInputModule, 'LIMIT', limit)
    conv = nn.ConvTranspose2d(4, 6, (3, 2), **options)
    layer = QuantConvTranspose2d.from_float(conv, config())
    check(layer, rand(2, 4, 5, 6))
    assert layer.seen(rand(0, 4, 5, 6)).shape == (1, 0, 24)


def test_fully_connected_layers(config, rand):
    layer = QuantLinear.from_float(nn.Linear(5, 3), config(groups=2))
    check(layer, rand(2, 7, 5))
    assert layer.seen(rand(2, 7, 5)).shape == (1, 14, 5)
    assert layer.seen(rand(0, 7, 5)).shape == (1, 0, 5)


def test_groups_are_chosen_image_by_image(config, rand):
    layer = QuantLinear.from_float(nn.Linear(5, 3), config(groups=3))
    layer.input_quantizer.set_bounds(
        torch.tensor([-1.0, -9.0, -99.0]), torch.tensor([1.0, 9.0, 99.0])
    )
    x = torch.cat([rand(1, 7, 5), 30 * rand(1, 7, 5)])
    each = [layer.seen(one[None]) for one in x]
    assert torch.equal(layer.seen(x), torch.cat(each, 1))


def test_padding_is_left_out(config, rand):
    layer = QuantLinear.from_float(nn.Linear(5, 3), config(groups=2))
    x = rand(2, 4, 5)
    with instances(tokens=3):
        assert layer.seen(x).shape == (1, 6, 5)
        assert torch.equal(layer.seen(x)[0], x[:, :3].flatten(0, 1))
    keep = torch.tensor([[True, False, True, True], [False] * 4])
    with instances(keep=keep):
        assert torch.equal(layer.seen(x)[0], x[keep])


def test_layers_of_a_decoder(config, rand):
    layer = QuantLinear.from_float(nn.Linear(5, 3), config(groups=2))
    x = rand(6, 2, 4, 5)
    with instances(layers_first=True):
        assert torch.equal(layer.seen(x)[0], x.transpose(0, 1).reshape(-1, 5))
        check(layer, x)
