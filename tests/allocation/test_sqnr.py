"""SQNR of layers against a computation by hand."""

import math

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.allocation.noise import CHUNK, Noise
from igq_mmdet.allocation.sqnr import layer_sqnr
from igq_mmdet.calibration import collect, fit, freeze, quantize
from igq_mmdet.modules.swap import quantized_layers


def decibels(values, quantized):
    values, quantized = values.detach().double(), quantized.detach().double()
    noise = (values - quantized).square().sum()
    return float(10 * torch.log10(values.square().sum() / noise))


@pytest.mark.parametrize('method', ['igq', 'layerwise', 'repq'])
@pytest.mark.parametrize('scope', ['channel', 'layer'])
def test_by_hand(method, scope, rand):
    torch.manual_seed(0)
    model = nn.Sequential(nn.LayerNorm(16), nn.Linear(16, 8), nn.Linear(8, 4))
    spec = igq.QuantSpec(
        w_bits=4, a_bits=4, groups=3, method=method, weight_scope=scope
    )
    images = [rand(1, 6, 16, spread=1.0) for _ in range(3)]
    qmodel = quantize(model, spec)
    fit(qmodel, collect(quantize(model, spec), images))
    found = layer_sqnr(qmodel, images)
    assert list(found) == list(quantized_layers(qmodel)) == ['1', '2']
    weights = {
        name: layer.weight.clone()
        for name, layer in quantized_layers(qmodel).items()
    }
    freeze(qmodel)
    x = torch.cat(images)
    for name, layer in quantized_layers(qmodel).items():
        expected = decibels(weights[name], layer.effective_weight())
        assert found[name]['weights'] == pytest.approx(expected, abs=1e-3)
        # what reaches the layer in float, image by image
        values, quantized = [], []
        with torch.no_grad():
            for image in x:
                value = qmodel[0](image)
                if name == '2':
                    value = nn.functional.linear(
                        value, weights['1'], qmodel[1].bias
                    )
                values.append(value)
                quantized.append(layer.input_quantizer(value))
        expected = decibels(torch.cat(values), torch.cat(quantized))
        assert found[name]['fc_input'] == pytest.approx(expected, abs=1e-3)


def test_leaves_the_model_as_it_was(rand):
    model = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 4)).eval()
    images = [rand(1, 6, 16)]
    spec = igq.QuantSpec(w_bits=4, a_bits=4, groups=3)
    results = []
    for measure in (False, True):
        qmodel = quantize(model, spec)
        fit(qmodel, collect(quantize(model, spec), images))
        if measure:
            layer_sqnr(qmodel, images)
        freeze(qmodel)
        results.append((qmodel(images[0]), qmodel[0].workload))
    (one, work), (two, same) = results
    assert torch.equal(one, two) and work == same


def test_noise_in_pieces(rand):
    values = rand(3, CHUNK // 2)
    quantized = values.round()
    noise = Noise()
    noise.add(values, quantized)
    expected = decibels(values, quantized)
    assert noise.decibels == pytest.approx(expected, rel=1e-9)
    assert Noise().decibels is None and math.isfinite(noise.signal)
