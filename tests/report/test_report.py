"""The report file and the tables made from it."""

import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.inspection.columns import format_rows
from igq_mmdet.report import (
    SCHEMA,
    Report,
    result_table,
    run_name,
    write_report,
)
from igq_mmdet.report.environment import environment

BOX, MASK = 'coco/bbox_mAP', 'coco/segm_mAP'


@pytest.fixture
def qmodel():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
    spec = igq.QuantSpec(w_bits=4, a_bits=6, groups=3)
    qmodel = igq.quantize(model, spec)
    igq.calibrate(qmodel, [torch.randn(2, 5, 8)])
    return qmodel


@pytest.fixture
def report(qmodel):
    report = Report()
    report.set_float({BOX: 0.25, MASK: 0.2}, 12_340_000, 2.04)
    report.add_run(qmodel, {BOX: 0.2, MASK: 0.15}, {'seconds': 1.0}, 0.5)
    return report


def test_schema(report):
    data = report.data
    assert data['schema'] == SCHEMA
    assert data['float']['metrics'] == {BOX: 0.25, MASK: 0.2}
    (run,) = data['runs']
    assert run['name'] == 'igq:3 W4A6'
    part = run['parts']['model']
    assert part['layers'] == 2
    assert (part['w_bits'], part['a_bits'], part['groups']) == ([4], [6], [3])
    assert part['macs'] == 5 * (8 * 16 + 16 * 4)
    assert part['bytes'] < part['float_bytes'] == 4 * (8 * 16 + 16 * 4 + 20)
    assert igq.QuantSpec.from_dict(run['spec']).groups == 3
    assert json.loads(json.dumps(data)) == data


def test_layers_in_model_order(qmodel):
    run = Report().add_run(qmodel, {}, {}, 0.5)
    assert run['layers'] == {
        str(index): {
            'order': order,
            'part': 'model',
            'w_bits': 4,
            'a_bits': 6,
            'groups': 3,
        }
        for order, index in enumerate((0, 2))
    }


def test_layers_without_groups_or_weights():
    from igq_mmdet.inspection.summary import layer_settings

    attention = nn.MultiheadAttention(8, 2, batch_first=True)
    model = nn.Sequential(nn.Conv2d(3, 8, 1))
    model.add_module('attention', attention)
    layers = layer_settings(igq.quantize(model, igq.QuantSpec(groups=5)))
    assert layers['0']['groups'] is None and layers['0']['w_bits'] == 4
    rows = [row for row in layers.values() if row['w_bits'] is None]
    assert rows and all(row['groups'] == 5 for row in rows)
    plain = igq.quantize(model, igq.QuantSpec(method='layerwise'))
    assert {x['groups'] for x in layer_settings(plain).values()} == {None}


def test_detector(report):
    assert report.data['detector'] is None
    assert Report({'config': 'x'}).data['detector'] == {'config': 'x'}


def test_only_finite_numbers(qmodel):
    report = Report()
    metrics = {
        'a': np.float32(0.5),
        'b': 1,
        'nan': math.nan,
        'infinite': np.float64('inf'),
        'text': '0.5 0.4',
        'table': [0.1],
    }
    report.set_float(metrics, 1, 1)
    report.add_run(qmodel, metrics, {}, 1)
    expected = {'a': 0.5, 'b': 1.0}
    assert report.data['float']['metrics'] == expected
    assert report.data['runs'][0]['metrics'] == expected
    assert 'NaN' not in json.dumps(report.data)


def test_run_names():
    names = [
        run_name(igq.QuantSpec(method=method, groups=8, w_bits=8, a_bits=3))
        for method in ('igq', 'layerwise', 'upper_bound')
    ]
    assert names == ['igq:8 W8A3', 'layerwise W8A3', 'upper_bound W8A3']


def test_table(report, qmodel):
    lines = result_table(report.data).splitlines()
    assert lines[0].split()[:3] == ['setting', 'W/A', 'groups']
    assert lines[2].split() == [
        *('float', '32/32', '-', '-', '25.00', '20.00', '12.34', '2.0')
    ]
    size = f'{report.data["runs"][0]["bytes"] / 1e6:.2f}'
    assert lines[3].split() == [
        *('igq', '4/6', '3', 'detector', '20.00', '15.00'),
        *('80.0%/75.0%', size, '1.5'),
    ]
    assert len({len(line) for line in (lines[1], *lines[3:])}) == 1


def test_table_without_float_or_masks(qmodel):
    report = Report()
    report.add_run(qmodel, {BOX: 0.2}, {}, 0.5)
    row = result_table(report.data).splitlines()[2].split()
    assert row[4:7] == ['20.00', '-', '-/-']
    report.set_float({BOX: 0.0}, 1, 1.0)
    assert '-/-' in result_table(report.data)  # no share of nothing


def test_write(report, tmp_path):
    path = tmp_path / 'new' / 'igq_report.json'
    write_report(report, path)
    assert json.loads(path.read_text()) == report.data
    before = path.read_text()
    report.data['runs'].append(object())  # cannot be written
    with pytest.raises(TypeError):
        write_report(report, path)
    assert path.read_text() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_columns():
    text = format_rows([('name', 'x'), ('a', '10'), ('longer', '')])
    assert text.splitlines() == [
        'name     x',
        '----------',
        'a       10',
        'longer',
    ]


def test_environment():
    found = environment()
    assert found['versions']['igq_mmdet'] == igq.__version__
    assert torch.__version__.startswith(found['versions']['torch'])
    assert found['threads'] == torch.get_num_threads()
    assert found['device'] and found['platform']
    assert json.loads(json.dumps(found)) == found


def test_package_that_is_not_installed_is_null(monkeypatch):
    from igq_mmdet.report import environment as module

    monkeypatch.setattr(module, 'PACKAGES', ('no-such-package',))
    assert module.environment()['versions']['no-such-package'] is None


def test_a_fork_under_another_name_is_named(monkeypatch, tmp_path):
    from igq_mmdet.report import environment as module

    folder = tmp_path / 'some_fork-1.2.dist-info'
    folder.mkdir()
    (folder / 'METADATA').write_text('Name: some-fork\nVersion: 1.2\n')
    (folder / 'top_level.txt').write_text('forked_package\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(module, 'PACKAGES', ('forked_package',))
    distributions = module._distributions.__wrapped__  # no cache
    monkeypatch.setattr(module, '_distributions', distributions)
    versions = module.environment()['versions']
    assert versions['forked_package'] == '1.2 (some-fork)'
