"""``ranges='fitted'`` through layers, files and integers."""

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.errors import SpecError
from igq_mmdet.fitting.expected_error import expected_error
from igq_mmdet.report import run_name


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(24, 32), nn.GELU(), nn.Linear(32, 8)).eval()


@pytest.fixture
def images(rand):
    return rand(3, 40, 24)


def calibrated(model, images, **changes):
    spec = igq.QuantSpec(groups=4, **changes)
    qmodel = igq.quantize(model, spec)
    igq.calibrate(qmodel, images)
    return qmodel


@pytest.mark.parametrize('method', ['igq', 'igq_integral'])
def test_file_and_integers_give_the_same(net, images, method, tmp_path):
    qmodel = calibrated(net, [images], method=method, ranges='fitted')
    plain = calibrated(net, [images], method=method)
    assert not torch.equal(qmodel(images), plain(images))
    igq.save(qmodel, tmp_path / 'm.safetensors')
    again = igq.load(net, tmp_path / 'm.safetensors')
    assert again.igq_spec.ranges == 'fitted'
    assert torch.equal(again(images), qmodel(images))
    integer = igq.to_integer(qmodel)
    assert set(integer.igq_runtime.values()) == {None}
    assert torch.equal(integer(images), qmodel(images))


@pytest.mark.parametrize('method', ['igq', 'igq_integral'])
def test_channels_take_the_group_of_least_error(net, images, method):
    qmodel = calibrated(net, [images], method=method, ranges='fitted')
    quantizer = qmodel[0].input_quantizer
    x = images[0]
    error = expected_error(
        x.amin(0), x.amax(0), quantizer.lower, quantizer.upper, 4
    )
    assert torch.equal(quantizer.assign(x), error.argmin(1))


@pytest.mark.parametrize('bits', [4, 8])
def test_one_image_does_not_make_ranges_narrow(rand, bits):
    """What is lost on other images, beside the mean of extremes."""
    layer = nn.Linear(48, 16).eval()
    x = rand(9, 60, 48)
    errors = {}
    for ranges in ('mean', 'fitted'):
        qmodel = calibrated(
            layer, [x[:1]], w_bits=8, a_bits=bits, ranges=ranges
        )
        with torch.no_grad():
            errors[ranges] = float((layer(x) - qmodel(x)).square().mean())
    assert errors['fitted'] < errors['mean'] * (1.05 if bits == 4 else 0.7)


def test_softmax_rows(rand):
    attention = nn.MultiheadAttention(16, 2, batch_first=True).eval()
    x = 3 * rand(2, 12, 16)
    qmodel = calibrated(attention, [(x, x, x)], ranges='fitted')
    quantizer = qmodel.softmax_quantizer
    assert quantizer.ranges == 'fitted'
    rows = torch.rand(500, 12).softmax(1)
    zero = torch.zeros(500)
    error = expected_error(
        zero, rows.amax(1), quantizer.lower, quantizer.upper, 4
    )
    found = error.gather(1, quantizer.assign(rows)[:, None])[:, 0]
    torch.testing.assert_close(found, error.min(1).values)
    again = igq.quantize(attention, qmodel.igq_spec)
    again.softmax_quantizer.load_state_dict(quantizer.state_dict())
    assert torch.equal(again.softmax_quantizer.edges, quantizer.edges)


def test_names():
    assert run_name(igq.QuantSpec(ranges='fitted')) == 'igq:12+fitted W4A4'
    both = igq.QuantSpec(ranges='fitted', weights='gptq', groups=8)
    assert run_name(both) == 'igq:8+fitted+gptq W4A4'
    layerwise = igq.QuantSpec(ranges='fitted', method='layerwise')
    assert run_name(layerwise) == 'layerwise W4A4'
    assert 'ranges' not in igq.QuantSpec().to_dict()
    assert igq.QuantSpec.from_json(both.to_json()) == both
    with pytest.raises(SpecError, match='ranges'):
        igq.QuantSpec(ranges='wide')
