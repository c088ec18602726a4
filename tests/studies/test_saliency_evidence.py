"""What methods keep of pretrained weights: make evidence-saliency."""

import importlib.util
import json
import warnings

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('timm')
pytest.importorskip('py_sod_metrics')

from igq_mmdet.errors import DataError, MissingDependencyError
from igq_mmdet.report import run_name
from igq_mmdet.segmentation import saliency_vit
from igq_mmdet.studies.saliency_evidence import (
    BITS,
    COLUMNS,
    IMAGES,
    MARKS,
    METHODS,
    SEEDS,
    kept,
    settings,
    table,
    write_evidence,
)

from ..conftest import ROOT


def figures(auc):
    return dict.fromkeys(COLUMNS, 0.25) | {'AUC': auc}


def made():
    names = [run_name(spec) for spec in settings((4, 4))]
    runs = {name: {'0': figures(0.7), '1': figures(0.8)} for name in names}
    runs['igq:12 W8A8'] = {'0': figures(0.9)}
    return {
        'images': 88,
        'calibrated_on': 32,
        'float': figures(0.9),
        'runs': runs,
    }


def test_kept_of_what_is_above_chance():
    assert kept(figures(0.7), figures(0.9)) == pytest.approx(50)
    assert kept(figures(0.5), figures(0.9)) == 0


def test_table():
    lines = table(made()).splitlines()
    assert lines.count('**W4A4**') == lines.count('**W8A8**') == 1
    assert '**W6A6**' not in lines
    rows = [line for line in lines if line.startswith('| IGQ, 12')]
    assert rows[0].startswith(
        '| IGQ, 12 groups | 2 | 62.5 ± 17.7 % | 0.7500 ± 0.0707 | 0.2500'
    )
    assert rows[1].startswith('| IGQ, 12 groups | 1 | 100.0 % | 0.9000 |')


def test_the_rest_of_the_page_stays(tmp_path):
    page, results = tmp_path / 'x.md', tmp_path / 'x.json'
    page.write_text(f'before\n{MARKS[0]}\nold\n{MARKS[1]}\nafter\n')
    for _ in range(2):
        write_evidence(made(), results, page)
        text = page.read_text()
        assert text.startswith('before\n') and text.endswith('\nafter\n')
        assert 'old' not in text and table(made()) in text
    assert json.loads(results.read_text()) == made()
    page.write_text('nothing')
    with pytest.raises(DataError, match='x.md: has no lines'):
        write_evidence(made(), results, page)
    assert page.read_text() == 'nothing'


def test_the_page_is_of_its_file():
    """Nobody wrote into the table by hand."""
    data = json.loads((ROOT / 'docs/data/saliency.json').read_text())
    assert table(data) in (ROOT / 'docs/segmentation.md').read_text()


@pytest.fixture
def tool():
    path = ROOT / 'tools/evidence_saliency.py'
    spec = importlib.util.spec_from_file_location('evidence', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_runs_all_by_default(tool):
    args = tool.parse_args([])
    assert args.seed == list(SEEDS) and args.calib_images == IMAGES
    assert args.bits == [f'{w}/{a}' for w, a in BITS]


@pytest.mark.slow
def test_command_twice(tool, tmp_path, monkeypatch, capfd):
    """On two images; the second time everything is there."""
    try:
        saliency_vit()
    except MissingDependencyError as error:
        pytest.skip(str(error))
    monkeypatch.chdir(ROOT)
    page, results = tmp_path / 'x.md', tmp_path / 'x.json'
    page.write_text('\n'.join(MARKS))
    argv = ['--work-dir', tmp_path / 'work', '--seed', 0, '--bits', '4/4']
    argv += ['--calib-images', 2, '--results', results, '--page', page]
    argv += ['--cfg-options', 'test_dataloader.dataset.indices=2']
    texts = []
    for _ in range(2):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # a Runner was built before
            assert tool.main(list(map(str, argv))) == 0
        texts.append(page.read_text())
        out, err = capfd.readouterr()
        assert table(json.loads(results.read_text())) in out
    assert texts[0] == texts[1]
    assert 'calibration:' not in err and ' 1/2 ' not in err
    data = json.loads(results.read_text())
    assert len(data['runs']) == len(METHODS) and data['images'] == 2
