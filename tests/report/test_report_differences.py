"""Differences in a report, and in what a terminal is told of it."""

import json

import numpy as np
import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.report.differences import ImageValues
from igq_mmdet.report.report_differences import (
    difference_text,
    report_differences,
)

BASE = np.random.default_rng(0).random(40) / 2
AP = 'coco/bbox_mAP'


def run(name, seed=0, **more):
    return {'name': name, 'calibration': {'seed': seed, **more}}


def data(*runs):
    return {'float': {'metrics': {}}, 'runs': list(runs)}


def load_shifted(shifts):
    def load(run):
        if run is None:
            return {AP: ImageValues('set', BASE + 0.1)}
        name, of = run['name'], run['calibration']
        shift = shifts[name] + 0.01 * of['seed']
        return {AP: ImageValues('set', BASE + shift)}

    return load


def test_report_and_table():
    load = load_shifted({'layerwise W4A4': 0, 'igq:8 W4A4': 0.02})
    names = ('layerwise W4A4', 'igq:8 W4A4')
    runs = [run(name, seed) for seed in (0, 1) for name in names]
    found = report_differences(data(*runs), load)
    assert json.loads(json.dumps(found)) == found
    (row,) = found['settings']
    off = row['metrics'][AP]  # in the unit of the metric: a fraction
    assert off['difference'] == pytest.approx(0.02) and off['seeds'] == 2
    title, head, _, line = difference_text(found).splitlines()
    assert '± spread over seeds [95 % interval over 40 images' in title
    assert head.split() == ['setting', 'against', 'seeds', 'box', 'AP']
    assert '+2.00 ± 0.00 [+2.00, +2.00] above' in line
    beside_float = report_differences(data(*runs), load, 'float')
    assert [r['against'] for r in beside_float['settings']] == ['float'] * 2
    assert '-9.50 ± 0.71' in difference_text(beside_float)


def test_calibrated_on_other_images_is_another_setting():
    load = load_shifted({'igq:8 W4A4': 0, 'layerwise W4A4': 0})
    runs = [
        run(name, where={'kind': kind})
        for kind in ('a', 'b')
        for name in ('layerwise W4A4', 'igq:8 W4A4')
    ]
    found = report_differences(data(*runs), load)
    assert [(r['setting'], r['against']) for r in found['settings']] == [
        (f'igq:8 W4A4, kind {kind}', f'layerwise W4A4, kind {kind}')
        for kind in 'ab'
    ]


def test_what_was_not_kept_is_said():
    def load(run):
        raise DataError('predictions were not kept (--no-predictions)')

    found = report_differences(data(run('igq:8 W4A4')), load)
    assert found['settings'] == []
    assert difference_text(found) == (
        'no interval: predictions were not kept (--no-predictions)'
    )


def test_reports_of_earlier_versions_have_none():
    assert difference_text(None) == ''
    alone = {'float': None, 'runs': [run('igq:8 W4A4')]}
    assert difference_text(report_differences(alone, load_shifted({}))) == ''
