"""Reports of many runs: what lines up, what must not be mixed."""

import json

import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.report.compare import collect, report_files
from igq_mmdet.report.compare.cohort import cohort_warnings

from .conftest import BOX, DETECTOR, MASK

IGQ = dict(w_bits=4, a_bits=4, groups=3)
PLAIN = dict(w_bits=4, a_bits=4, method='layerwise')


def read(*folders):
    return collect(report_files(folders))


def test_settings_line_up_by_name(write):
    one = write('one', (0.5, IGQ), (0.4, PLAIN))
    two = write('two', (0.6, IGQ), seed=1)
    (cohort,) = read(one, two)
    settings = cohort.settings()
    assert list(settings) == ['layerwise W4A4', 'igq:3 W4A4']
    runs = settings['igq:3 W4A4']
    assert [run.source for run in runs] == [one, two]
    assert [run.metrics[BOX] for run in runs] == [50.0, 60.0]
    assert [run.seed for run in runs] == [0, 1]
    assert cohort.metrics == [BOX, MASK]
    assert cohort.full == {BOX: 70.0, MASK: 35.0}
    assert cohort_warnings([cohort]) == [] and cohort.warnings == []


def test_numbers_are_those_of_the_report(write):
    folder = write('one', (0.5, IGQ))
    (cohort,) = read(folder)
    (run,) = cohort.runs
    entry = json.loads((folder / 'igq_report.json').read_text())['runs'][0]
    assert run.size == entry['bytes']
    assert run.bops == sum(x['bops'] for x in entry['parts'].values()) > 0
    assert (run.calib_seconds, run.eval_seconds) == (0.5, 2.0)
    assert list(run.layers) == ['0', '2']
    assert run.layers['2']['groups'] == 3


@pytest.mark.parametrize(
    'change, words',
    [
        (dict(m_step='envelope'), 'm_step=envelope'),
        (dict(targets='linear'), 'targets=linear'),
    ],
)
def test_what_is_not_default_is_another_setting(write, change, words):
    folder = write('one', (0.5, IGQ), (0.5, IGQ | change))
    (cohort,) = read(folder)
    assert list(cohort.settings()) == ['igq:3 W4A4', f'igq:3 W4A4, {words}']


def test_integers_and_calibration_images_are_other_settings(write):
    folders = [
        write('one', (0.5, IGQ)),
        write('two', (0.5, IGQ), runtime='integer'),
        write('three', (0.5, IGQ), calibration={'image_ids': [1, 2]}),
    ]
    (cohort,) = read(*folders)
    assert list(cohort.settings()) == [
        'igq:3 W4A4',
        'igq:3 W4A4, 2 calibration images',
        'igq:3 W4A4, on integers',
    ]


@pytest.mark.parametrize(
    'other, said',
    [
        (dict(detector=DETECTOR | {'config': 'large'}), 'detectors or images'),
        (dict(detector=DETECTOR | {'model': 'cc'}), 'detectors or images'),
        (dict(detector=DETECTOR | {'data': 'cc'}), 'detectors or images'),
    ],
)
def test_detectors_and_images_are_not_mixed(write, other, said):
    one, two = write('one', (0.5, IGQ)), write('two', (0.4, IGQ), **other)
    cohorts = read(one, two)
    assert [len(cohort.runs) for cohort in cohorts] == [1, 1]
    (warning,) = cohort_warnings(cohorts)
    assert said in warning and 'must not be compared' in warning


def test_presets_are_not_mixed(write):
    # the small model is one part, 'model', for either
    folder = write('one', (0.5, IGQ), (0.4, IGQ | {'exclude': ['2']}))
    path = folder / 'igq_report.json'
    data = json.loads(path.read_text())
    data['runs'].append(json.loads(json.dumps(data['runs'][0])))
    data['runs'][-1]['spec']['parts'] = 'backbone'
    path.write_text(json.dumps(data))
    cohorts = read(folder)
    assert [cohort.parts for cohort in cohorts] == [
        'detector',
        'detector, exclude 2',
        'backbone',
    ]
    (warning,) = cohort_warnings(cohorts)
    assert warning.startswith('3 sets') and 'they differ in parts' in warning


def test_float_that_differs_is_said(write):
    one = write('one', (0.5, IGQ), full=0.7)
    two = write('two', (0.5, IGQ), full=0.72)
    (cohort,) = read(one, two)
    assert 'float box AP is 70.00' in cohort.warnings[0]
    assert str(two) in cohort.warnings[0]


def test_older_reports_are_told_apart_by_float(write):
    folders = [
        write('one', (0.5, IGQ), detector=None),
        write('two', (0.5, PLAIN), detector=None),
        write('three', (0.5, IGQ), detector=None, full=0.3),
    ]
    cohorts = read(*folders)
    assert [len(cohort.runs) for cohort in cohorts] == [2, 1]
    assert 'not named' in cohorts[0].title


def test_without_float(write):
    (cohort,) = read(write('one', (0.5, IGQ), full=None))
    assert cohort.full == {} and cohort.full_size is None


def test_files_are_found_below_and_named_once(write, tmp_path):
    one, two = write('runs/a', (0.5, IGQ)), write('runs/b', (0.5, IGQ))
    report = one / 'igq_report.json'
    found = report_files([tmp_path / 'runs', one, report])
    assert found == [report, two / 'igq_report.json']


def broken(path, **changes):
    data = json.loads(path.read_text())
    data['runs'][0] |= changes
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    'damage, said',
    [
        (lambda path: path.write_text(path.read_text()[:99]), 'cannot be'),
        (lambda path: path.write_bytes(b'\xff\xfe'), 'cannot be read'),
        (lambda path: path.write_text('[' * 99999), 'cannot be read'),
        (lambda path: path.write_text('[]'), 'not a report of schema'),
        (lambda path: broken(path, bytes='many'), "bytes is 'many'"),
        (lambda path: broken(path, bytes=float('nan')), 'bytes is nan'),
        (lambda path: broken(path, metrics={BOX: None}), 'mAP is None'),
        (lambda path: broken(path, parts=None), 'not a whole report'),
        (lambda path: broken(path, layers=[1]), 'not a whole report'),
        (lambda path: broken(path, sqnr={'a': {'b': 'x'}}), "b is 'x'"),
        (lambda path: broken(path, spec={'w_bits': 99}), 'w_bits must be'),
        (lambda path: broken(path, spec={'bits': 4}), "unknown field 'bits'"),
    ],
)
def test_damaged_reports_are_named(write, damage, said):
    path = write('one', (0.5, IGQ)) / 'igq_report.json'
    damage(path)
    with pytest.raises(DataError) as raised:
        read(path)
    assert str(path) in str(raised.value) and said in str(raised.value)


def test_nothing_to_compare(write, tmp_path):
    with pytest.raises(DataError, match='no such folder'):
        read(tmp_path / 'none')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(DataError, match='no igq_report.json'):
        read(tmp_path / 'empty')
    with pytest.raises(DataError, match='no quantized run'):
        read(write('one'))
