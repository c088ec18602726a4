"""All settings of a table against their references."""

import json

import numpy as np
import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.report.differences import ImageValues
from igq_mmdet.report.differences.compared import compare_settings

BASE = np.random.default_rng(0).normal(0, 1, 30)


def gives(shift, names='set'):
    return lambda: {
        'top1': ImageValues(names, BASE + shift),
        'top5': ImageValues(names, BASE),
    }


def refuses(text):
    def load():
        raise DataError(text)

    return load


def test_every_setting_by_its_bits():
    found = compare_settings(
        {
            'float': {None: refuses('is not looked at')},
            'layerwise W4A4': {0: gives(0), 1: gives(1)},
            'igq:8 W4A4': {0: gives(2), 1: gives(5)},
        }
    )
    assert found.against == {'igq:8 W4A4': 'layerwise W4A4'}
    assert found.notes == [] and found.images == 30
    off = found.found['igq:8 W4A4']['top1']
    assert off.mean == pytest.approx(3) and off.seeds == 2
    assert off.spread == pytest.approx(2**0.5) and off.word == 'above'
    assert found.found['igq:8 W4A4']['top5'].word == 'cannot tell'
    assert found.metrics == ['top1', 'top5']
    data = json.loads(json.dumps(found.to_dict()))
    assert data['resamples'] == 500 and data['confidence'] == 0.95
    (row,) = data['settings']
    assert row['setting'] == 'igq:8 W4A4' and row['against'].startswith('lay')
    assert row['metrics']['top1']['word'] == 'above'


def test_what_is_missing_is_said():
    found = compare_settings(
        {
            'a W4A4': {0: gives(0)},
            'b W4A4': {0: refuses('b was not kept')},
            'c W4A4': {1: gives(0)},
            'd W4A4': {0: gives(0, 'other images')},
            'e W4A4': {0: gives(1)},
        }
    )
    assert list(found.found) == ['e W4A4'] and len(found.against) == 4
    assert found.notes[0] == 'b was not kept'
    assert 'c W4A4 and a W4A4: no seed' in found.notes[1]
    assert 'd W4A4 and a W4A4: evaluated on different' in found.notes[2]


def test_many_reasons_are_counted():
    runs = {f'{n} W4A4': {0: refuses(f'not {n}')} for n in range(6)}
    found = compare_settings(runs)
    assert found.notes == ['not 0', 'not 1', 'not 2', 'and 3 more']
    assert found.found == {} and found.images is None


def test_progress_counts_runs():
    seen = []

    def bar(jobs):
        seen.append(len(jobs))
        return iter(jobs)

    compare_settings(
        {'a W4A4': {0: gives(0), 1: gives(0)}, 'b W4A4': {0: gives(0)}},
        progress=bar,
    )
    assert seen == [3]


def test_nothing_to_compare():
    found = compare_settings({'a W4A4': {0: refuses('is not looked at')}})
    assert found.against == {} and found.notes == []
