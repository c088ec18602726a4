"""Command lines of the ablation: what is wrong is said in one line."""

import importlib.util
import json

import pytest

from igq_mmdet.report.ablations.results_file import a_run_a_line

from ..conftest import ROOT


def load(name):
    spec = importlib.util.spec_from_file_location(
        name, ROOT / f'tools/{name}.py'
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ablate():
    return load('ablate')


@pytest.mark.parametrize(
    'argv,said',
    [
        (['--bits', '4-4'], "'4-4' is not like 4/4"),
        (['--tables', 'nothing'], 'invalid choice'),
        (['--seeds', '0'], '--seeds must be at least 1'),
    ],
)
def test_usage(ablate, capsys, argv, said):
    with pytest.raises(SystemExit) as stopped:
        ablate.main(argv)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_bad_values_are_one_line(ablate, capsys, tmp_path):
    pytest.importorskip('mmdet')
    for argv, said in (
        (['--groups', '0'], 'groups must be at least 1'),
        (['nowhere.py', 'x.pth'], 'nowhere.py: no such config'),
    ):
        assert ablate.main([*argv, '--work-dir', str(tmp_path)]) == 1
        err = capsys.readouterr().err
        assert err.count('\n') == 1 and said in err


def test_all_tables_can_be_asked_for(ablate):
    ablation = pytest.importorskip('igq_mmdet.studies.ablation')
    assert set(ablate.TABLES) == set(ablation.tables())


def test_results_are_written_a_run_a_line():
    data = {'b': [1, {'runs': {}}], 'runs': {'x': {'z': 1, 'a': 2}, 'y': {}}}
    text = a_run_a_line(data)
    assert json.loads(text) == data
    assert '\n  "x": {"a": 2, "z": 1},\n  "y": {}\n' in text


def test_results_page_wants_the_ablations_file(capsys, tmp_path):
    make = load('make_results')
    page = tmp_path / 'docs/results.md'
    other = tmp_path / 'other.json'
    other.write_text(json.dumps({'schema': 'igq_mmdet.report/1'}))
    for source in (tmp_path / 'none.json', other):
        assert make.main([str(source), '--page', str(page)]) == 1
        err = capsys.readouterr().err
        assert err.count('\n') == 1 and str(source) in err
    assert not page.exists()
