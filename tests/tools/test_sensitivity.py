"""tools/sensitivity.py on eight images of the demo."""

import importlib.util
import json
import warnings

import pytest

pytest.importorskip('mmdet')
pytest.importorskip('matplotlib')

from ..conftest import ROOT
from .conftest import FEW


@pytest.fixture
def sensitivity(tmp_path, monkeypatch, capfd):
    """Runs it; gives status, stdout and stderr."""
    monkeypatch.chdir(ROOT)
    path = ROOT / 'tools/sensitivity.py'
    spec = importlib.util.spec_from_file_location('sensitivity_tool', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def run(*args):
        argv = [*args, '--work-dir', str(tmp_path), '--quiet']
        with warnings.catch_warnings():
            # mmengine's, that a Runner was built in this process before
            warnings.simplefilter('ignore')
            status = module.main([*argv, '--cfg-options', *FEW])
        return status, *capfd.readouterr()

    return run


@pytest.mark.slow
def test_demo(sensitivity, tmp_path):
    few = ['--include', 'backbone.stages.3.blocks.1.*', 'roi_head.*']
    few += ['rpn_head.*']
    status, out, err = sensitivity(*few, '--ap')
    assert status == 0, err
    data = json.loads((tmp_path / 'sensitivity.json').read_text())
    rows = {(row['layer'], row['kind']): row for row in data['rows']}
    assert all(row['sqnr'] > 0 for row in rows.values())
    seen = {key for key, row in rows.items() if row['kl'] is not None}
    for layer, kind in rows:
        blind = layer.startswith(('rpn_head', 'roi_head.mask_head'))
        blind |= layer == 'roi_head.bbox_head.fc_reg'
        assert ((layer, kind) not in seen) == blind, (layer, kind)
    kinds = {kind for layer, kind in seen if layer.startswith('backbone')}
    assert kinds == {'fc_input', 'softmax', 'operands', 'weights'}
    full, *alone = data['ap']
    assert full['part'] is None and full['metrics']['coco/bbox_mAP'] > 0
    masks = [
        row['metrics']['coco/segm_mAP']
        for row in alone
        if row['part'] == 'mask_head'
    ]
    # what KL cannot see
    assert masks and set(masks) != {full['metrics']['coco/segm_mAP']}
    assert 'only this is quantized' in out

    lines = sum(
        len(path.read_text().splitlines()) for path in tmp_path.glob('*.jsonl')
    )
    assert lines == len(rows) + len(data['ap'])
    again, printed, _ = sensitivity(*few, '--ap')
    assert again == 0 and printed == out
    assert lines == sum(
        len(path.read_text().splitlines()) for path in tmp_path.glob('*.jsonl')
    )


def test_errors_are_one_line(sensitivity):
    status, out, err = sensitivity('--w-bits', '9')
    assert status == 1 and out == ''
    assert err == 'error: w_bits must be 2 to 8, got 9\n'
