"""Bounds come from the statistics as the method says."""

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.calibration import collect, fit, freeze
from igq_mmdet.modules import QuantLinear
from tests import oracle


def calibrated(images, **spec):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(images.shape[-1], 3))
    qmodel = igq.quantize(model, igq.QuantSpec(**spec))
    fit(qmodel, collect(qmodel, [images]))
    return qmodel[0]


def ranges(images):
    """The (min, max) of every channel of every image."""
    return [
        (min(column), max(column))
        for image in images.tolist()
        for column in zip(*image, strict=True)
    ]


@pytest.mark.parametrize('groups', [2, 5])
def test_channel_groups_are_k_means_of_all_images(rand, groups):
    images = rand(3, 7, 10, shift=2.0)
    quantizer = calibrated(images, groups=groups).input_quantizer
    centres, _ = oracle.kmeans(ranges(images), groups)
    expected = torch.tensor(centres)
    torch.testing.assert_close(quantizer.lower, expected[:, 0])
    torch.testing.assert_close(quantizer.upper, expected[:, 1])


def test_groups_enough_give_every_channel_its_range(rand):
    images = rand(2, 7, 5)
    layer = calibrated(images, groups=12, a_bits=8)
    bound = calibrated(images, method='upper_bound', a_bits=8)
    assert torch.equal(
        layer.quantize_input(images), bound.quantize_input(images)
    )


def test_one_group_is_layerwise(rand):
    images = rand(2, 9, 5)
    one = calibrated(images, groups=1)
    layerwise = calibrated(images, method='layerwise', groups=8)
    assert one.state_dict().keys() == layerwise.state_dict().keys()
    assert torch.equal(one(images), layerwise(images))


def test_layerwise_bounds_are_the_oracles(rand):
    images = rand(2, 50, 5)
    quantizer = calibrated(images, method='layerwise').input_quantizer
    lower, upper = oracle.static_bounds(
        images.flatten().tolist(), 4, igq.QuantSpec().static_percentiles
    )
    width = images.abs().max().item() / 2**12  # of a bin of the histogram
    assert quantizer.lower.item() == pytest.approx(lower, abs=width)
    assert quantizer.upper.item() == pytest.approx(upper, abs=width)


@pytest.mark.parametrize('scale', [1.0, 1e-6, 1e6])
@pytest.mark.parametrize('shape', [(1, 1, 4), (1, 6, 1), (2, 1, 1)])
def test_extreme_shapes_and_scales_stay_finite(rand, shape, scale):
    for shift in (0, 1e6):
        images = rand(*shape) * scale - shift
        for method in ('igq', 'layerwise', 'upper_bound'):
            layer = calibrated(images, method=method, groups=3, a_bits=3)
            assert torch.isfinite(layer.quantize_input(images)).all()


def test_constant_channels_are_kept():
    images = torch.tensor([0.0, 7.25, -3.5]).expand(2, 4, 3)
    for method in ('igq', 'upper_bound'):
        layer = calibrated(images, method=method, groups=3, a_bits=2)
        assert torch.equal(layer.quantize_input(images), images)


def test_freeze_drops_the_float_weight(rand):
    images = rand(2, 9, 5)
    layer = calibrated(images, groups=2)
    weight = layer.weight.detach().clone()
    freeze(layer)
    assert layer.frozen and not any(
        torch.equal(weight, value) for value in layer.state_dict().values()
    )
    codes, scale, zero_point = (
        layer.weight_codes,
        layer.weight_scale,
        layer.weight_zero_point,
    )
    expected, pairs, _ = oracle.weight_quantizer(
        weight.tolist(), 4, igq.QuantSpec().weight_percentiles
    )
    assert codes.tolist() == expected
    pair = torch.cat([scale, zero_point], 1).tolist()
    assert pair == [list(p) for p in pairs]
    before = layer(images)
    freeze(layer)  # again: nothing happens
    assert torch.equal(layer(images), before)


def test_layer_groups_reach_their_layer(rand):
    model = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5))
    spec = igq.QuantSpec(groups=4, layer_groups={'1': 6})
    qmodel = igq.quantize(model, spec)
    igq.calibrate(qmodel, [rand(2, 9, 5)])
    assert isinstance(qmodel[0], QuantLinear)
    assert [len(q.input_quantizer.lower) for q in qmodel] == [4, 6]
