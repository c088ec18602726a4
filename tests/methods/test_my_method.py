"""A method and a rounding in files of their own do all that ours do."""

import dataclasses
import json
from importlib import import_module

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.errors import CheckpointError, DataError
from igq_mmdet.inspection.cost import layer_cost
from igq_mmdet.inspection.summary import layer_settings
from igq_mmdet.methods import METHODS
from igq_mmdet.report import Report, run_name
from igq_mmdet.report.classification import classification_table
from igq_mmdet.report.compare import collect, page, terminal_text
from igq_mmdet.report.report import write_report
from tests.docs.pages import python_blocks

SPEC = dict(w_bits=4, a_bits=4, groups=3, method='mine')


@pytest.fixture
def mine(own_files):
    return import_module('my_method')


@pytest.fixture
def net(rand):
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, 5)).eval()


@pytest.fixture
def images(rand):
    return rand(4, 7, 12)


@pytest.fixture
def calibrated(mine, net, images):
    qmodel = igq.quantize(net, igq.QuantSpec(**SPEC))
    igq.calibrate(qmodel, [images])
    return qmodel


def test_the_page_shows_these_files(own_files):
    blocks = [b for b in python_blocks('docs/add_a_method.md') if '"""' in b]
    names = ('my_method.py', 'my_rounding.py')
    assert blocks == [(own_files / name).read_text() for name in names]


def test_against_a_slow_loop(mine, rand):
    images = rand(3, 9, 5)
    layer = igq.quantize(nn.Linear(5, 2), igq.QuantSpec(**SPEC))
    igq.calibrate(layer, [images])
    found = layer.input_quantizer(images[0])
    ranges = [float(images.abs().max()) / 2**i for i in range(3)]
    for channel in range(5):
        values = images[0, :, channel].double()
        upper = min(u for u in ranges if u >= values.abs().max())
        step = 2 * upper / 15
        for value, got in zip(values, found[:, channel], strict=True):
            code = (value / step).round() + 8
            expected = step * (code.clamp(0, 15) - 8)
            assert abs(got - expected) < 1e-5


def test_a_file_gives_the_same_outputs(calibrated, net, images, tmp_path):
    igq.save(calibrated, tmp_path / 'm.safetensors')
    again = igq.load(net, tmp_path / 'm.safetensors')
    assert again.igq_spec.method == 'mine'
    assert torch.equal(again(images), calibrated(images))


def test_integers_give_the_same_bits(calibrated, images):
    integer = igq.to_integer(calibrated)
    assert set(integer.igq_runtime.values()) == {None}
    assert torch.equal(integer(images), calibrated(images))


def test_summary_and_cost(calibrated):
    (part,) = igq.summary(calibrated).values()
    assert part.groups == (3,)
    assert {row['groups'] for row in layer_settings(calibrated).values()} == {
        3
    }
    added = 32 * (7 * 16 * 3 + 7 * 12)
    macs = 7 * 12 * 16
    assert layer_cost(calibrated[0]).bops == macs * 16 + added
    # one group is layer-wise
    assert layer_cost(calibrated[0], groups=1).bops == macs * 16


def test_allocation(mine, net, images):
    spec = igq.QuantSpec(**SPEC)
    found = igq.allocate(
        nn.Sequential(net, nn.Flatten(), nn.Linear(35, 3)).eval(),
        dataclasses.replace(spec, groups=4),
        list(images.split(1)),
        candidates=(2, 4, 6),
    )
    assert set(found.spec.layer_groups) == {'0.0', '0.2', '2'}
    assert found.spec.method == 'mine' and found.bops <= found.budget


def test_softmax_rows_are_layerwise(mine):
    attention = nn.MultiheadAttention(8, 2, batch_first=True).eval()
    qmodel = igq.quantize(attention, igq.QuantSpec(**SPEC))
    assert qmodel.config.method == 'layerwise'
    x = torch.randn(2, 6, 8)
    igq.calibrate(qmodel, [(x, x, x)])
    assert torch.isfinite(qmodel(x, x, x)[0]).all()


def test_report_and_page(calibrated, tmp_path):
    report = Report()
    report.set_float({'top1': 50.0, 'top5': 90.0}, 1000, 1.0)
    calibration = {'image_ids': [1], 'seed': 0, 'seconds': 1.0}
    run = report.add_run(
        calibrated, {'top1': 49.0, 'top5': 89.0}, calibration, 1.0
    )
    assert run['name'] == 'mine:3 W4A4'
    assert classification_table(report.data).splitlines()[-1].split()[:3] == [
        'mine',
        '4/4',
        '3',
    ]
    path = tmp_path / 'igq_report.json'
    write_report(report, path)
    cohorts = collect([path])
    assert 'mine:3 W4A4' in terminal_text(cohorts)
    assert 'm-mine' in page(cohorts, {})


def test_without_the_import_files_say_what_is_missing(
    calibrated, net, tmp_path
):
    path = tmp_path / 'm.safetensors'
    igq.save(calibrated, path)
    report = Report()
    report.add_run(calibrated, {'top1': 49.0}, {'image_ids': []}, 1.0)
    write_report(report, tmp_path / 'igq_report.json')
    METHODS.module_dict.pop('mine')
    advice = "unknown method 'mine'.* has to be imported first"
    with pytest.raises(CheckpointError, match=advice):
        igq.load(net, path)
    with pytest.raises(DataError, match=advice):
        collect([tmp_path / 'igq_report.json'])


def test_a_rounding(own_files, net, images, tmp_path):
    import_module('my_rounding')
    spec = igq.QuantSpec(groups=3, weights='by_max')
    assert json.loads(spec.to_json())['weights'] == 'by_max'
    assert igq.QuantSpec.from_json(spec.to_json()) == spec
    assert run_name(spec) == 'igq:3+by_max W4A4'
    qmodel = igq.quantize(net, spec)
    igq.calibrate(qmodel, [images])
    weight = net[0].weight.detach()
    step = 2 * weight.abs().amax(1, keepdim=True) / 15
    off = (qmodel[0].effective_weight() - weight).abs()
    assert (off <= step / 2 + 1e-6).all() and off.max() > 0
    igq.save(qmodel, tmp_path / 'm.safetensors')
    again = igq.load(net, tmp_path / 'm.safetensors')
    assert torch.equal(again(images), qmodel(images))


def test_a_rounding_is_handed_what_was_seen_of_inputs(own_files, config, rand):
    from igq_mmdet.methods import ROUNDINGS
    from igq_mmdet.methods.nearest import Nearest
    from igq_mmdet.modules import QuantLinear

    seen = []

    @ROUNDINGS.register_module('by_max')
    class Watches(Nearest):
        def __call__(self, weight, settings, hessian=None):
            seen.append((settings.w_bits, hessian))
            return super().__call__(weight, settings, hessian)

    layer = QuantLinear(config(weights='by_max'), rand(3, 6))
    hessian = rand(6, 6)
    layer.freeze(hessian)
    assert layer.frozen and seen == [(4, hessian)]
