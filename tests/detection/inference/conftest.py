"""Configs with files of weights, and what an evaluation predicts with them."""

import json
from types import SimpleNamespace

import pytest

from igq_mmdet import QuantSpec

from ...conftest import ROOT
from ...few import annotations
from ..conftest import CONFIG, FIELDS, FLOAT

DEMO = ROOT / CONFIG
# two images without a network's need for many pixels
SMALL = """
_base_ = '{base}'
pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(96, 96), keep_ratio=True),
    dict(
        type='PackDetInputs',
        meta_keys=(
            'img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'
        ),
    ),
]
test_dataloader = dict(
    _delete_=True,
    batch_size=1,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='CocoDataset',
        data_root='demo/',
        ann_file='{listed}',
        data_prefix=dict(img='images/'),
        pipeline=pipeline,
        test_mode=True,
    ),
)
test_evaluator = dict(
    _delete_=True,
    type='CocoMetric',
    ann_file='{listed}',
    metric='bbox',
)
calib_dataset = dict(
    type='CocoDataset',
    data_root='demo/',
    ann_file='instances_calib.json',
    data_prefix=dict(img='images/'),
    pipeline=pipeline,
    test_mode=True,
)
"""
RCNN = """
model = dict(
    test_cfg=dict(
        rpn=dict(max_per_img=20), rcnn=dict(score_thr=0.0, max_per_img=6)
    )
)
"""
DETR = """
model = dict(
    num_queries=12,
    backbone=dict(depth=18, init_cfg=None),
    neck=dict(in_channels=[512]),
    encoder=dict(num_layers=1),
    decoder=dict(num_layers=1),
    test_cfg=dict(max_per_img=6),
)
"""
MASK2FORMER = """
custom_imports = dict(imports=['igq_mmdet'], allow_failed_imports=False)
custom_hooks = [dict(type='igq_mmdet.IGQHook')]
model = dict(
    backbone=dict(
        embed_dims=24, depths=(1, 1, 1, 1), num_heads=(1, 2, 4, 8),
        init_cfg=None,
    ),
    panoptic_head=dict(
        in_channels=[24, 48, 96, 192],
        num_queries=8,
        pixel_decoder=dict(encoder=dict(num_layers=1)),
        transformer_decoder=dict(num_layers=1),
    ),
    test_cfg=dict(max_per_image=6),
)
"""
WRAPPED = """
_base_ = '{base}'
model = dict(
    _delete_=True,
    type='igq_mmdet.IGQDetector',
    detector={{{{_base_.model}}}},
)
"""
# name -> config, and what makes it small; weights are random
PRESETS = {
    'Cascade': (
        ROOT / 'configs/demo/cascade-mask-rcnn_swin-mini_demo_w4a4_g12.py',
        RCNN,
    ),
    'DETR': (ROOT / 'configs/detr/detr_r50_coco_w4a4_g12.py', DETR),
    'Mask2Former': (
        'mmdet::mask2former/mask2former_swin-t-p4-w7-224_8xb2-lsj-50e_coco.py',
        MASK2FORMER,
    ),
}


@pytest.fixture(scope='package')
def make_case(tmp_path_factory):
    """Makes a config, weights and what ``tools/ptq_coco.py`` predicts."""
    from igq_mmdet.checkpoints import read, restore, save
    from igq_mmdet.detection.calibration.ptq import (
        DetectorCalibration,
        checkpoint_info,
    )
    from igq_mmdet.detection.models.config import load_config
    from igq_mmdet.report.predictions import Predictions
    from igq_mmdet.studies.experiment import Experiment

    made = {}

    def make(name):
        """``float``, ``quantized``, ``wrapped`` or one of the presets."""
        if name in made:
            return made[name]
        folder = tmp_path_factory.mktemp('case')
        config, weights = folder / 'config.py', folder / 'q.safetensors'
        if name == 'wrapped':
            other = make('quantized')
            config.write_text(WRAPPED.format(base=other.config))
            made[name] = SimpleNamespace(**vars(other) | {'config': config})
            return made[name]
        base, smaller = PRESETS.get(name, (DEMO, RCNN))
        config.write_text(
            SMALL.format(base=base, listed=annotations(2)) + smaller
        )
        spec = QuantSpec.from_dict(FIELDS)
        loaded = load_config(str(config))
        loaded.dump(config)  # mmdet:: takes mmengine seconds to look up
        experiment = Experiment(loaded, str(folder / 'work'), quiet=True)
        experiment.keep()
        if name in ('float', 'quantized'):
            experiment.load_float(FLOAT)
        if name == 'float':
            weights, model = FLOAT, experiment.detector
        else:
            images = experiment.images(1, 0, False)
            detector = experiment.detector
            calibration = DetectorCalibration(detector, images, [spec])
            qmodel, record = calibration.apply(spec)
            save(qmodel, weights, checkpoint_info(record, loaded.pretty_text))
            model = restore(detector, read(weights))
        experiment.evaluate(model, 'it', {})
        (path,) = (folder / 'work/predictions').iterdir()
        found = Predictions([path])
        listed = json.loads((ROOT / 'demo/instances_eval.json').read_text())
        entries = {
            f'demo/images/{image["file_name"]}': found[image['id']]
            for image in listed['images']
            if image['id'] in found
        }
        assert len(entries) == 2
        assert sum(len(entry['scores']) for entry in entries.values()) > 4
        made[name] = SimpleNamespace(
            config=config, weights=str(weights), entries=entries
        )
        return made[name]

    return make
