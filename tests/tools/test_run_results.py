"""docs/results.md from settings that are run in pieces."""

import json
import re

import pytest

from ..conftest import ROOT
from ..few import few
from .test_ablate import load

pytest.importorskip('mmdet')

from igq_mmdet.studies import results_pieces  # noqa: E402
from igq_mmdet.studies.ablation import Row, Table  # noqa: E402

DEMO = ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'
SMALL = {'parts': 'bbox_head'}
LAYERS = {**SMALL, 'method': 'layerwise'}
PIECES = {
    'headline': Table(
        'At W4A4',
        (Row('layer-wise', LAYERS), Row('8 groups', SMALL)),
        bits=((4, 4),),
    ),
    'bits': Table('Other bits', (Row('8 groups', SMALL),), 1, ((8, 8),)),
}


@pytest.fixture
def results(monkeypatch, tmp_path):
    monkeypatch.setattr(results_pieces, 'pieces', lambda: PIECES)
    command = load('run_results')

    def run(*argv, folder='a'):
        place = tmp_path / folder
        argv = [
            *(str(DEMO), '--work-dir', str(place / 'work')),
            *('--data', str(place / 'data.json')),
            *('--page', str(place / 'page.md'), '--seeds', '2'),
            *argv,
            *('--cfg-options', *few(2)),
        ]
        return command.main(argv)

    return run, tmp_path


def untimed(page):
    """A page without what differs from run to run: seconds."""
    return re.sub(r'(?s)## Time and size.*?\n## ', '## ', page)


def test_pieces_make_the_page_of_one_run(results, capsys):
    run, folder = results
    assert run('--at-most', '1', '--pieces', 'headline') == 0
    part = (folder / 'a/page.md').read_text()
    out = capsys.readouterr().out
    assert '4 settings on 2 images: headline 4;' in out
    assert '1 of them to run now' in out
    assert 'Of 5\nsettings 1 have been run' in part and 'not run' in part
    assert '1 of 1 comparisons wait for settings' in part
    assert run() == 0
    assert '4 of them to run now' in capsys.readouterr().out
    whole = (folder / 'a/page.md').read_text()
    assert '5 have been run' in whole and '| not run' not in whole
    assert 'comparisons wait' not in whole
    assert '8 groups above layer-wise' in whole
    assert run(folder='b') == 0
    assert untimed((folder / 'b/page.md').read_text()) == untimed(whole)
    assert run() == 0
    assert '0 of them to run now' in capsys.readouterr().out
    assert (folder / 'a/page.md').read_text() == whole
    again = folder / 'again.md'
    make = load('make_results')
    data = folder / 'a/data.json'
    assert make.main([str(data), '--page', str(again)]) == 0
    assert again.read_text() == whole


@pytest.mark.parametrize(
    'changed,said',
    [
        (lambda data: data.update(detector='other'), 'results of other, not'),
        (lambda data: data.update(images=7), 'results on 7 images, not on 2'),
        (lambda data: data.pop('tables'), 'damaged (KeyError'),
    ],
)
def test_results_of_something_else(results, capsys, changed, said):
    run, folder = results
    assert run('--at-most', '0') == 0
    capsys.readouterr()
    path = folder / 'a/data.json'
    data = json.loads(path.read_text())
    changed(data)
    path.write_text(json.dumps(data))
    before = path.read_text()
    assert run('--at-most', '0') == 1
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and said in err and str(path) in err
    assert path.read_text() == before
