"""The page is made of the figures of a run, verdicts included."""

import copy
import json

import pytest

from benchmarks.forms import FLOAT, FORMS, METHODS
from benchmarks.page import BEGIN, END, figures, renew
from benchmarks.rivals import OPENVINO_8BIT
from benchmarks.targets import TARGETS, Target, verdicts


def row(seconds):
    return {
        'median': seconds,
        'fastest': seconds,
        'slowest': 2 * seconds,
        'times_faster': 1 / seconds,
    }


@pytest.fixture
def data():
    """A run in which float takes 1 s and 100 MB of everything."""
    speeds = {
        'float': 1.0,
        'igq simulated': 1.2,
        'igq integer': 0.8,
        'igq_integral simulated': 1.1,
        'igq_integral integer': 0.4,
    }
    rows = {name: row(seconds) for name, seconds in speeds.items()}
    kinds = {'fully connected': rows, 'total': rows}
    cells = [['backbone', 'GELU', 0.3], ['backbone', 'fully connected', 0.1]]
    agreement = {
        name: {'largest_error': [0.25, 0.5], 'sqnr': [12.0, 7.4]}
        for name in speeds
    }
    agreement[FLOAT] = {'largest_error': [0.0, 0.0], 'sqnr': [None, None]}
    calibration = {
        'median': 2.0,
        'float_forwards': 2.0,
        'stages': {'collect': 1.5, 'fit': 0.5},
        'to_integer': 0.1,
        'still_simulated': {'a': 'why', 'b': 'why'},
        'layers': 9,
    }
    memory = {'before': 50_000_000, 'peak': 100_000_000}
    return {
        'environment': {
            'versions': {'torch': '1', 'mmcv': '2', 'mmdet': '3'},
            'device': 'a machine',
            'commit': 'abc',
        },
        'rivals': {'openvino': '4'},
        'config': 'a_config.py',
        'threads': 2,
        'size': [64, 96],
        'rounds': 3,
        'clock': 'wall',
        'bits': 4,
        'groups': 12,
        'left_out': {'X': 'x is not installed'},
        'prepared': {'Y': 12.0},
        'instances': {name: 100 for name in FORMS},
        'whole': rows,
        'one_thread': rows,
        'backbone': {**rows, OPENVINO_8BIT: row(0.5)},
        'agreement': {
            **agreement,
            OPENVINO_8BIT: {'largest_error': [0.01, 0.02], 'sqnr': [40, 35]},
            'igq simulated, W8A8': {'largest_error': [0.1], 'sqnr': [31.0]},
        },
        'profile': {
            'kinds': kinds,
            'backbone_kinds': kinds,
            'parts': {'backbone': rows, 'total': rows},
            'cells': {name: cells for name in FORMS},
        },
        'calibration': {method: calibration for method in METHODS},
        'file': {m: {'save': 0.2, 'load': 0.3, 'bytes': 5} for m in METHODS},
        'memory': {name: memory for name in FORMS},
        'calibration_memory': {
            'igq': {
                '1': {**memory, 'statistics': 1_000_000},
                '8': {
                    'before': 50_000_000,
                    'peak': 120_000_000,
                    'statistics': 2_000_000,
                },
            }
        },
    }


@pytest.mark.parametrize(
    ('limit', 'at_least', 'verdict'),
    [
        (2.0, True, 'met'),
        (2.5, True, 'missed by 20.0 %'),
        (2.0, False, 'met'),
        (1.6, False, 'missed by 25.0 %'),
    ],
)
def test_verdicts_are_computed(limit, at_least, verdict):
    target = Target('x', lambda data, method: data[method], limit, at_least)
    assert target.judge({'igq': 2.0}, 'igq') == ('2.00', verdict)
    assert target.judge({}, 'igq') == ('-', 'not measured')


def test_every_target_is_judged_for_every_method(data):
    found = verdicts(data)
    assert len(found) == len(TARGETS)
    by_text = {cells[0]: cells[1:] for cells in found}
    whole = by_text['integer, whole detector: times faster than float']
    assert whole == ('at least 1.5', '1.25', 'missed by 16.7 %', '2.50', 'met')
    (level,) = (cells for text, cells in by_text.items() if 'stretch' in text)
    assert level[1:] == ('0.62', 'missed by 37.5 %', '1.25', 'met')
    (slow,) = (
        cells
        for text, cells in by_text.items()
        if text.startswith('simulation, whole')
    )
    assert slow[1:] == ('1.20', 'missed by 4.3 %', '1.10', 'met')
    (memory,) = (
        cells for text, cells in by_text.items() if 'several images' in text
    )
    assert memory[1:] == ('1.20', 'missed by 14.3 %', '-', 'not measured')


def test_what_was_not_measured_does_not_stop_the_page(data):
    short = copy.deepcopy(data)
    del short['one_thread'], short['backbone'][OPENVINO_8BIT]
    del short['agreement'][OPENVINO_8BIT]
    short['left_out'] = short['prepared'] = {}
    text = figures(short)
    assert 'OpenVINO 8-bit (a stretch)' in text and 'not measured' in text
    assert OPENVINO_8BIT not in text and 'One thread' not in text


def test_the_page_holds_what_was_measured(data, tmp_path):
    page = tmp_path / 'performance.md'
    page.write_text(f'before\n{BEGIN}\nold\n{END}\nafter\n')
    renew(page, json.loads(json.dumps(data)))
    text = page.read_text()
    assert text.startswith('before\n') and text.endswith('after\n')
    assert 'old' not in text
    assert '| igq_integral integer | 400 | 400 | 800 | 2.50 |' in text
    assert '| 5e-01 | 12 / 7 |' in text
    assert 'X is left out: x is not installed.' in text
    assert 'compiling took: Y 12 s' in text
    assert '- igq integer: backbone: GELU 75 %' in text
    assert '- `igq`, of 9 layers: 2 (`a`, ...): why' in text
    assert '| 8 | 50 | 120 | 2.0 |' in text
    again = page.read_text()
    renew(page, data)
    assert page.read_text() == again


def test_a_page_without_marks_is_refused(data, tmp_path):
    page = tmp_path / 'performance.md'
    page.write_text('nothing')
    with pytest.raises(ValueError, match='marks .* are missing'):
        renew(page, data)
    assert page.read_text() == 'nothing'


def test_the_page_in_the_repository_has_the_marks():
    from benchmarks.__main__ import PAGE

    text = PAGE.read_text()
    assert text.count(BEGIN) == text.count(END) == 1
