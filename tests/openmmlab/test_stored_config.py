"""Configs that files keep are read as data, whoever wrote them."""

import os

import pytest

pytest.importorskip('mmdet')

from mmengine.config import Config
from mmengine.hub import get_config

from igq_mmdet.checkpoints import QuantCheckpoint
from igq_mmdet.errors import CheckpointError
from igq_mmdet.openmmlab.stored_config import (
    dataset_meta,
    stored_config,
    stored_meta,
)
from igq_mmdet.spec import QuantSpec

from ..conftest import ROOT
from ..tools.conftest import plain_configs  # noqa: F401

PLAIN = """
model = dict(type='MaskRCNN', test_cfg=dict(nms=dict(type='nms'), low=-1e8))
test_dataloader = dict(dataset=dict(type='CocoDataset', ann_file='x.json'))
"""


def kept(text):
    spec = QuantSpec(groups=4)
    info = {} if text is None else {'model_config': text}
    return QuantCheckpoint('q.safetensors', spec, {}, info, '')


@pytest.mark.parametrize(
    'name',
    [
        'configs/detr/detr_r50_coco_w4a4_g12.py',
        'configs/demo/cascade-mask-rcnn_swin-mini_demo_w4a4_g12.py',
        'mmdet::mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py',
        'mmdet::guided_anchoring/ga-retinanet_r50-caffe_fpn_1x_coco.py',
        'mmdet::fpg/faster-rcnn_r50_fpg_crop640-50e_coco.py',
    ],
)
def test_what_mmengine_writes_comes_back(name):
    config = get_config(name) if '::' in name else None
    config = config or Config.fromfile(ROOT / name)
    found = stored_config(kept(config.pretty_text))
    assert found.model == config.model
    dataset = config.test_dataloader.dataset
    assert found.test_dataloader == {'dataset': dataset}
    assert not found.get('custom_hooks') and not found.get('test_evaluator')
    meta = stored_meta(kept(config.pretty_text))
    again = Config.fromstring(meta['cfg'], '.py')  # as mmengine reads it
    assert again.model == config.model
    assert meta['dataset_meta']['classes'][:2] == ('person', 'bicycle')


def test_classes_of_wrapped_data_sets():
    text = PLAIN.replace(
        "dict(type='CocoDataset', ann_file='x.json')",
        "dict(type='ConcatDataset', datasets=[dict(type='RepeatDataset', "
        "times=2, dataset=dict(type='CocoDataset', metainfo="
        "dict(classes=('a', 'b'))))])",
    )
    assert dataset_meta(stored_config(kept(text)))['classes'] == ('a', 'b')


@pytest.mark.parametrize('text', [None, 7, ['model = 1']])
def test_no_config(text):
    with pytest.raises(CheckpointError, match=r'use igq_mmdet\.load\(model'):
        stored_config(kept(text))
    assert stored_meta(kept(text)) == {}


@pytest.mark.parametrize(
    'text',
    [
        'model = (',
        "model = dict(type='MaskRCNN')",
        PLAIN + 'model["type"] = 1',
        PLAIN + 'model += 1',
        PLAIN + 'a = b = 1',
        PLAIN + 'custom_imports = 3',
        PLAIN + "custom_imports = dict(imports=['there_is_no_such_thing'])",
        PLAIN + 'model = dict(**1)',
        PLAIN + 'model = dict({}, {})',
        PLAIN + 'model = dict(low=-inf)',
        PLAIN + f'model = {"[" * 3000}{"]" * 3000}',
    ],
)
def test_another_text_is_refused_in_one_line(text):
    with pytest.raises(CheckpointError, match='config cannot be used') as info:
        stored_config(kept(text))
    assert str(info.value).startswith('q.safetensors: ')
    assert stored_meta(kept(text)) == {}


RUN = "__import__('os').system('touch {}')"


@pytest.mark.parametrize(
    'text',
    [
        '{}',
        'model = {}',
        'model = dict(type={})',
        'import os\nos.system("touch {trace}")',
        'model = [{} for x in (1,)]',
        'model = (lambda: {})()',
        "model = f'{{{}}}'",
        'model = dict(a=open("{trace}", "w"))',
    ],
)
def test_nothing_is_run(text, tmp_path):
    trace = tmp_path / 'trace'
    hostile = PLAIN + text.format(RUN.format(trace), trace=trace)
    with pytest.raises(CheckpointError, match='config cannot be used'):
        stored_config(kept(hostile))
    assert not trace.exists()


@pytest.mark.parametrize(
    'name',
    [
        'os.system',
        'subprocess.Popen',
        'builtins.exec',
        'mmdet.apis.init_detector',
        'mmengine.config.Config.fromstring',
        'torch.load',
        "__import__('os').system('true')",
        'nms or exit()',
        '.MaskRCNN',
        'subprocess.MaskRCNN',
        'mmdet.models.MaskRCNN.x',
        'CameraMotionCompensation',
        'mmdet.CameraMotionCompensation',
        '',
    ],
)
def test_only_what_is_registered_has_an_address(name):
    for old in ("'MaskRCNN'", "'nms'", "'CocoDataset'"):
        assert old in PLAIN
        with pytest.raises(CheckpointError, match='is not registered'):
            stored_config(kept(PLAIN.replace(old, repr(name))))


@pytest.mark.parametrize(
    'name',
    [
        'mmdet.MaskRCNN',
        'mmdet.models.MaskRCNN',
        'mmdet.models.detectors.mask_rcnn.MaskRCNN',
    ],
)
def test_addresses_of_what_is_registered(name):
    text = PLAIN.replace("'MaskRCNN'", repr(name))
    assert stored_config(kept(text)).model.type == name


def test_nothing_is_run_by_mmengine_either(tmp_path):
    """``DetInferencer(weights=file)`` executes the text that we hand it."""
    trace = tmp_path / 'trace'
    value = f"x'] + [{RUN.format(trace)}] + ['"
    text = PLAIN.replace("'x.json'", repr(value))
    meta = stored_meta(kept(text))
    config = Config.fromstring(meta['cfg'], '.py')
    assert config.test_dataloader.dataset.ann_file == value
    assert not os.path.exists(trace)
