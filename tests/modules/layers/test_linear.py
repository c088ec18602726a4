"""Fully connected layers quantize image by image."""

import pytest
import torch
from torch import nn

from igq_mmdet.modules import QuantLinear, instances
from tests import oracle


def make(config, inputs=6, outputs=5, **changes):
    torch.manual_seed(0)
    layer = QuantLinear.from_float(
        nn.Linear(inputs, outputs), config(**changes)
    )
    groups = layer.input_quantizer.groups
    if groups:
        lower = -torch.rand(groups).sort().values * 3
        layer.input_quantizer.set_bounds(lower, lower + 4 * torch.rand(groups))
    else:
        layer.input_quantizer.refresh()
    return layer


@pytest.mark.parametrize('w_bits,a_bits', [(2, 8), (4, 4), (8, 3), (6, 6)])
@pytest.mark.parametrize('groups', [1, 4])
def test_equals_grouped_integer_arithmetic(
    config, rand, w_bits, a_bits, groups
):
    layer = make(config, w_bits=w_bits, a_bits=a_bits, groups=groups)
    layer.freeze()
    quantizer = layer.input_quantizer
    x = rand(3, 7, 6, shift=1.0)
    out = layer(x)
    weight = (
        layer.weight_codes.tolist(),
        layer.weight_scale.flatten().tolist(),
        layer.weight_zero_point.flatten().tolist(),
    )
    for image, found in zip(x, out, strict=True):
        expected = oracle.grouped_integer_linear(
            image.tolist(),
            quantizer.lower.tolist(),
            quantizer.upper.tolist(),
            a_bits,
            weight,
            layer.bias.tolist(),
        )
        expected = torch.tensor(expected).double()
        error = (found.double() - expected).norm() / expected.norm()
        assert error < 1e-5


@pytest.mark.parametrize('method', ['igq', 'layerwise', 'upper_bound'])
@pytest.mark.parametrize(
    'rows', [(), (0,), (3,), (2, 5), (0, 1, 4), (3, 0, 0, 2)]
)
def test_rois_of_several_images_in_one_batch(config, rand, rows, method):
    layer = make(config, method=method)
    x = rand(sum(rows), 6)
    with instances(rows=rows):
        together = layer.quantize_input(x)
        assert layer(x).shape == (sum(rows), 5)
    for image, found in zip(x.split(rows), together.split(rows), strict=True):
        with instances(rows=(len(image),)):
            assert torch.equal(layer.quantize_input(image), found)


def test_groups_are_those_of_the_rois_of_one_image(config, rand):
    layer = make(config)
    quantizer = layer.input_quantizer
    x = rand(7, 6)
    with instances(rows=(2, 5)):
        found = layer.quantize_input(x)
    for image, part in zip(x.split((2, 5)), found.split((2, 5)), strict=True):
        _, _, values = oracle.channel_groups(
            image.tolist(),
            quantizer.lower.tolist(),
            quantizer.upper.tolist(),
            4,
        )
        torch.testing.assert_close(part, torch.tensor(values))


@pytest.mark.parametrize('method', ['igq', 'layerwise', 'upper_bound'])
@pytest.mark.parametrize('shape', [(4, 9, 6), (3, 2, 5, 6), (4, 6), (0, 6)])
def test_a_batch_is_its_images(config, rand, shape, method):
    layer = make(config, method=method)
    x = rand(*shape)
    together = layer.quantize_input(x)
    assert together.shape == x.shape
    for i in range(len(x)):
        alone = layer.quantize_input(x[i : i + 1])
        assert torch.equal(together[i : i + 1], alone)


def test_the_input_is_left_as_it_was(config, rand):
    layer = make(config)
    x = rand(2, 9, 6)
    before = x.clone()
    layer(x.transpose(0, 1))  # not contiguous
    layer(x)
    assert torch.equal(x, before)


def test_float_until_calibrated(config, rand):
    linear = nn.Linear(6, 5, bias=False)
    layer = QuantLinear.from_float(linear, config())
    x = rand(2, 9, 6)
    assert torch.equal(layer(x), linear(x))
    assert layer.weight is linear.weight  # taken over, not copied
    assert 'weight=float' in repr(layer)
    layer.freeze()
    assert layer.bias is None and 'weight=codes' in repr(layer)


def test_every_width_of_weights(config):
    errors = []
    for bits in range(2, 9):
        torch.manual_seed(0)
        linear = nn.Linear(60, 50)
        weight = linear.weight.detach()
        layer = QuantLinear.from_float(linear, config(w_bits=bits))
        layer.freeze()
        assert int(layer.weight_codes.max()) == 2**bits - 1
        errors.append((layer.effective_weight() - weight).norm().item())
    # each bit halves the step, about
    for more, fewer in zip(errors, errors[1:], strict=False):
        assert 0.3 * more < fewer < 0.7 * more


def test_runs_where_gradients_are_recorded(config, rand):
    """Parameters that stay float require them; nobody has to say no_grad."""
    model = nn.Sequential(make(config, outputs=6), make(config))
    for layer in model:
        layer.freeze()
    x = rand(2, 9, 6)
    with torch.no_grad():
        expected = model(x)
    assert model[0].bias.requires_grad
    assert torch.equal(model(x), expected)


def test_a_frozen_layer_has_the_weight_of_its_codes(config, rand):
    weight = torch.nn.Parameter(rand(6, 8))
    layer = QuantLinear(config(), weight)
    assert layer.weight is weight and not layer.frozen
    layer.freeze()
    codes = layer.weight_codes.double()
    expected = layer.weight_scale * (codes - layer.weight_zero_point)
    assert torch.allclose(layer.weight.double(), expected.double())
    assert layer.weight.shape == weight.shape
    assert layer.weight.dtype is weight.dtype
    assert 'weight' not in layer.state_dict()
    assert 'weight' not in dict(layer.named_parameters())
