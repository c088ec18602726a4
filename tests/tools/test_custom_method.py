"""A method from outside, through the tools: ptq_coco.py and compare.py."""

import importlib.util

import pytest

pytest.importorskip('mmdet')

from ..conftest import ROOT
from ..few import few

DEMO = ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'
WEIGHTS = ROOT / 'demo/swin_mini_mask_rcnn.safetensors'
TWO = few(2)


def compare(*args):
    path = ROOT / 'tools/compare.py'
    spec = importlib.util.spec_from_file_location('compare', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main([str(arg) for arg in args])


@pytest.mark.slow
def test_config_names_the_file(own_files, ptq, tmp_path, capfd):
    config = tmp_path / 'own.py'
    imports = "dict(imports=['igq_mmdet', 'my_method'])"
    config.write_text(f"_base_ = '{DEMO}'\ncustom_imports = {imports}\n")
    done = ptq(
        config,
        WEIGHTS,
        '--compare',
        'layerwise,mine:8',
        '--allocate',
        '--candidates',
        '4,8',
        '--include',
        'backbone.stages.0*',
        '--dashboards',
        'local',
        options=TWO,
    )
    assert done.status == 0, done.err
    names = [run['name'] for run in done.report['runs']]
    assert names == ['layerwise W4A4', 'mine:8 W4A4', 'mine:8+alloc W4A4']
    _, run, allocated = done.report['runs']
    assert {row['groups'] for row in run['layers'].values()} == {8, None}
    assert run['sqnr'] and set(run['metrics']) == {
        *done.report['runs'][0]['metrics']
    }
    chosen = allocated['allocation']['spec']['layer_groups'].values()
    assert set(chosen) <= {4, 8}
    table = done.out.split('\n\n')[0]
    assert 'mine' in table and '8 alloc' in table
    report = tmp_path / 'work/igq_report.json'
    out = tmp_path / 'page'
    assert compare(report, '--out', out, '--images', 0) == 0
    assert 'm-mine' in (out / 'compare.html').read_text()


@pytest.mark.slow
def test_option_names_the_file(own_files, ptq, tmp_path):
    saved = tmp_path / 'q.safetensors'
    own = ('--custom-imports', 'my_method', 'my_rounding')
    few = ('--include', 'backbone.stages.0*', '--skip-sqnr', '--skip-float')
    made = ptq(
        *own,
        '--method',
        'mine',
        '--groups',
        8,
        '--rounding',
        'by_max',
        '--save',
        saved,
        *few,
        options=TWO,
    )
    assert made.status == 0, made.err
    (run,) = made.report['runs']
    assert run['name'] == 'mine:8+by_max W4A4'
    again = ptq(*own, '--load', saved, '--skip-float', options=TWO)
    assert again.status == 0, again.err
    assert again.report['runs'][0]['metrics'] == run['metrics']


def test_a_module_that_is_not_there_is_one_line(ptq):
    done = ptq('--custom-imports', 'no_such_module', '--method', 'mine')
    assert done.status == 1 and done.report is None
    assert done.err.startswith('error: --custom-imports: no_such_module ')
    assert 'PYTHONPATH' in done.err and done.err.count('\n') == 1
    done = ptq('--method', 'mine')
    assert done.status == 1
    assert "error: unknown method 'mine'" in done.err
