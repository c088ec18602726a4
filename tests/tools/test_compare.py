"""tools/compare.py: on small reports, and on three runs of the demo."""

import csv
import importlib.util
import warnings

import pytest

from ..browser import keep_screenshots, opened
from ..conftest import ROOT
from ..few import few

IGQ = dict(w_bits=4, a_bits=4, groups=3)
TWO = few(2)
NAMES = ['compare.csv', 'compare.html', 'compare.md']


@pytest.fixture(scope='package')
def compare():
    path = ROOT / 'tools/compare.py'
    spec = importlib.util.spec_from_file_location('compare', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_table_and_files(compare, write, tmp_path, capsys):
    folder = write('runs/one', (0.5, IGQ))
    write('runs/two', (0.6, IGQ), seed=1)
    out = tmp_path / 'out'
    argv = [str(folder.parent), '--out', str(out), '--images', '0']
    assert compare.main(argv) == 0
    shown = capsys.readouterr()
    assert '55.00 ± 7.07' in shown.out and shown.err == ''
    assert str(out / 'compare.html') in shown.out
    assert sorted(path.name for path in out.iterdir()) == NAMES
    assert '55.00 ± 7.07' in (out / 'compare.md').read_text()
    assert '55.00 ± 7.07' in (out / 'compare.html').read_text()
    assert len(list(csv.reader(open(out / 'compare.csv')))) == 3


def test_damage_is_one_line_and_writes_nothing(
    compare,
    write,
    tmp_path,
    capsys,
):
    good = write('one', (0.5, IGQ))
    path = write('two', (0.5, IGQ)) / 'igq_report.json'
    path.write_text(path.read_text()[:-20])
    out = tmp_path / 'out'
    argv = [str(good), str(path.parent), '--out', str(out)]
    assert compare.main(argv) == 1
    shown = capsys.readouterr()
    assert shown.err.count('\n') == 1 and str(path) in shown.err
    assert shown.out == '' and not out.exists()


@pytest.mark.parametrize(
    'argv, said',
    [(['none'], 'none: no such folder'), (['.', '--out', 'x/y'], 'x/y')],
)
def test_bad_folders(
    argv,
    said,
    compare,
    write,
    monkeypatch,
    capsys,
):
    folder = write('one', (0.5, IGQ))
    monkeypatch.chdir(folder)
    (folder / 'x').write_text('')
    assert compare.main([*argv, '--images', '0']) == 1
    err = capsys.readouterr().err
    assert err.count('\n') == 1 and said in err


def test_without_mmdet(
    compare,
    write,
    tmp_path,
    capsys,
    monkeypatch,
):
    folder = write('one', (0.5, IGQ))
    found = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        'find_spec',
        lambda name, *args: None if name == 'mmdet' else found(name, *args),
    )
    assert compare.main([str(folder), '--out', str(tmp_path)]) == 0
    err = capsys.readouterr().err
    assert err == 'mmdet is not installed: the page comes without images\n'
    page = (tmp_path / 'compare.html').read_text()
    assert 'mmdet is not installed' in page


@pytest.mark.slow
def test_three_runs_of_the_demo(
    compare,
    tool,
    tmp_path,
    monkeypatch,
    chromium,
):
    pytest.importorskip('mmdet')
    monkeypatch.chdir(ROOT)
    three = {
        'w4a4': ['--compare', 'layerwise,igq:8'],
        'w8a3': ['--compare', 'layerwise,igq:8', '--w-bits', '8']
        + ['--a-bits', '3'],
        'integral': ['--method', 'igq_integral', '--runtime', 'integer'],
    }
    for name, args in three.items():
        args += ['--work-dir', str(tmp_path / name), '--quiet']
        with warnings.catch_warnings():
            # mmengine's, that a Runner was built in this process before
            warnings.simplefilter('ignore')
            assert tool.main([*args, '--cfg-options', *TWO]) == 0
    out = tmp_path / 'out'
    folders = [str(tmp_path / name) for name in three]
    argv = [*folders, '--out', str(out), '--images', '2', '--quiet']
    assert compare.main(argv) == 0
    page = out / 'compare.html'
    with opened(chromium, page) as seen:
        rows = seen.page.locator('tr[data-s]')
        assert rows.count() == 5
        charts = seen.page.locator('svg.layers')
        assert charts.count() >= 1  # of groups; noise where it is measured
        pictures = seen.page.locator('.images img:visible')
        assert pictures.count() == 4
        widths = pictures.evaluate_all('x => x.map(y => y.naturalWidth)')
        assert min(widths) > 100
    assert seen.said == []
    assert all(u.startswith(('file:', 'data:image/')) for u in seen.asked)
    kept = keep_screenshots(chromium, page, 'compare')
    assert len(kept) == 4 and all(x.stat().st_size > 9999 for x in kept)
