"""mmdet's own functions and scripts give what tools/ptq_coco.py evaluates."""

import json
import pickle
import runpy
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip('mmdet')

import mmdet
from mmdet.apis import DetInferencer, inference_detector, init_detector
from mmengine.config import Config
from mmengine.runner import load_checkpoint

import igq_mmdet
from igq_mmdet.detection.kept.prediction_lines import rle_masks, to_entry
from igq_mmdet.errors import CheckpointError

from ..conftest import FLOAT
from .conftest import PRESETS

pytestmark = [
    pytest.mark.filterwarnings('ignore:dataset_meta or class names'),
    pytest.mark.filterwarnings('ignore:Failed to add <class'),
    pytest.mark.filterwarnings('ignore:The `device` argument is deprecated'),
]
CASES = ['float', 'quantized', 'wrapped', *PRESETS]
KEYS = ('labels', 'scores', 'bboxes', 'masks')


@pytest.fixture(params=CASES)
def case(request, make_case):
    return make_case(request.param)


def same(samples, case):
    """Every number of every detection is the evaluation's."""
    assert len(samples) == len(case.entries) > 0
    for sample, entry in zip(samples, case.entries.values(), strict=True):
        found = to_entry(sample, 0, with_truth=False)
        assert entry.keys() >= {'labels', 'scores', 'bboxes'}
        for key in KEYS:
            assert found.get(key) == entry.get(key), key


def test_init_detector(case):
    model = init_detector(str(case.config), case.weights, device='cpu')
    assert len(model.dataset_meta['classes']) == 80
    first, second = case.entries
    same(inference_detector(model, [first, second]), case)
    entries = {second: case.entries[second]}
    same([inference_detector(model, second)], SimpleNamespace(entries=entries))


def test_det_inferencer(case):
    inferencer = DetInferencer(str(case.config), case.weights, device='cpu')
    found = inferencer(list(case.entries), return_datasamples=True)
    same(found['predictions'], case)


def test_image_demo(make_case, tmp_path):
    """What mmdet's demo/image_demo.py, which no wheel has, does."""
    case = make_case('quantized')
    init = dict(device='cpu', palette='none')
    inferencer = DetInferencer(str(case.config), case.weights, **init)
    inferencer(
        inputs=list(case.entries),
        out_dir=str(tmp_path),
        pred_score_thr=0.3,
        batch_size=1,
        no_save_vis=False,
        no_save_pred=False,
    )
    for path, entry in case.entries.items():
        saved = tmp_path / f'preds/{Path(path).stem}.json'
        found = json.loads(saved.read_text())
        assert {key: entry[key] for key in KEYS} == found
        assert (tmp_path / 'vis' / Path(path).name).stat().st_size > 5000


def test_a_quantized_file_is_enough_for_it(make_case):
    case = make_case('quantized')
    inferencer = DetInferencer(weights=case.weights, device='cpu')
    found = inferencer(list(case.entries), return_datasamples=True)
    same(found['predictions'], case)


@pytest.mark.slow
def test_stock_test_script(case, tmp_path, monkeypatch):
    script = Path(mmdet.__file__).parent / '.mim/tools/test.py'
    out = tmp_path / 'out.pkl'
    argv = ['test.py', str(case.config), case.weights, '--out', str(out)]
    argv += ['--work-dir', str(tmp_path), '--cfg-options', 'log_level=ERROR']
    monkeypatch.setattr(sys, 'argv', argv)
    monkeypatch.setenv('LOCAL_RANK', '0')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # a Runner was built before
        runpy.run_path(str(script), run_name='__main__')
    found = pickle.loads(out.read_bytes())
    assert len(found) == 2
    for sample, entry in zip(found, case.entries.values(), strict=True):
        pred = sample['pred_instances']
        for key in KEYS[:3]:
            assert pred[key].tolist() == entry[key]
        if 'masks' in entry:
            assert rle_masks(pred['masks']) == entry['masks']


def test_files_that_do_not_fit(make_case):
    config = Config.fromfile(make_case('quantized').config)
    other = make_case('Cascade').weights
    with pytest.raises(CheckpointError, match='made for another model'):
        init_detector(config, other, device='cpu')
    model = init_detector(config, make_case('quantized').weights, device='cpu')
    with pytest.raises(CheckpointError, match='is quantized already'):
        load_checkpoint(model, make_case('quantized').weights)
    with pytest.raises(CheckpointError, match='gone.safetensors: no such'):
        init_detector(config, 'gone.safetensors', device='cpu')


def test_codes_are_nobody_elses_weights(make_case):
    """A backbone alone, or a model of torch's, gets no packed codes."""
    from mmengine.runner.checkpoint import _load_checkpoint_with_prefix

    path = make_case('quantized').weights
    with pytest.raises(AssertionError, match='backbone. is not in'):
        _load_checkpoint_with_prefix('backbone.', path)
    state = _load_checkpoint_with_prefix('backbone.', FLOAT)
    assert 'patch_embed.projection.weight' in state


@pytest.mark.slow
def test_load_detector(make_case):
    for name in ('quantized', *PRESETS):
        case = make_case(name)
        model = igq_mmdet.load_detector(case.weights, device='cpu')
        assert not model.training and model.igq_spec.groups == 12
        assert model.dataset_meta['classes'][:2] == ('person', 'bicycle')
        same(inference_detector(model, list(case.entries)), case)


def test_the_integer_form_of_a_loaded_detector(make_case):
    case = make_case('quantized')
    model = igq_mmdet.load_detector(case.weights, device='cpu')
    fast = igq_mmdet.to_integer(model)
    assert any(why is None for why in fast.igq_runtime.values())
    same(inference_detector(fast, list(case.entries)), case)


def test_a_file_without_config(make_case, tmp_path):
    weights = make_case('quantized').weights
    model = igq_mmdet.load_detector(weights, device='cpu')
    igq_mmdet.save(model, tmp_path / 'q.safetensors')
    with pytest.raises(CheckpointError, match='keeps no config'):
        igq_mmdet.load_detector(tmp_path / 'q.safetensors')


def test_own_classes(make_case, tmp_path):
    """Names come with the file, not from COCO."""
    from igq_mmdet.checkpoints import read
    from igq_mmdet.checkpoints.file import in_memory, write

    content = read(make_case('quantized').weights)
    names = tuple(f'kind {index}' for index in range(80))
    text = content.info['model_config']
    assert "type='CocoDataset'" in text
    text = text.replace(
        "type='CocoDataset'",
        f"type='CocoDataset', metainfo=dict(classes={names!r})",
    )
    info = content.info | {'model_config': text}
    path = tmp_path / 'q.safetensors'
    write(path, in_memory(content.tensors, content.spec, info))
    model = igq_mmdet.load_detector(path, device='cpu')
    assert model.dataset_meta['classes'] == names
    config = str(make_case('quantized').config)
    model = init_detector(config, str(path), device='cpu')
    assert model.dataset_meta['classes'] == names
