"""tools/read_dashboard.py on lines as mmengine writes them."""

import importlib.util
import json

import pytest

from ..conftest import ROOT


@pytest.fixture(scope='module')
def tool():
    """The tool as a module."""
    path = ROOT / 'tools/read_dashboard.py'
    spec = importlib.util.spec_from_file_location('read_dashboard', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_prints_ap(tool, tmp_path, capsys):
    lines = [
        {'quantized/coco/bbox_mAP': 0.25, 'loss': 1.0, 'step': 1},
        {
            'float/coco/bbox_mAP': 0.5,
            'quantized/coco/bbox_mAP': 0.375,
            'quantized/coco/bbox_mAP_50': 0.5,
            'delta/coco/bbox_mAP': -0.125,
            'step': 2,
        },
    ]
    path = tmp_path / 'scalars.json'
    path.write_text('\n'.join(map(json.dumps, lines)))
    assert tool.main(['local', str(tmp_path)]) == 0
    _, _, *rows = capsys.readouterr().out.splitlines()
    assert [row.split()[1:] for row in rows] == [
        ['1', 'coco/bbox_mAP', '-', '25.00', '-'],
        ['2', 'coco/bbox_mAP', '50.00', '37.50', '-12.50'],
    ]
    assert tool.main(['local', str(tmp_path), '--all']) == 0
    out = capsys.readouterr().out
    assert 'loss = 1 (step 1)' in out
    assert 'quantized/coco/bbox_mAP_50 = 0.5 (step 2)' in out


def test_errors_are_one_line(tool, tmp_path, capsys):
    assert tool.main(['local', str(tmp_path / 'no')]) == 1
    out, err = capsys.readouterr()
    assert out == '' and err.startswith('error: ') and err.count('\n') == 1
    assert 'no such folder' in err
