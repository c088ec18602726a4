"""Every config that ships parses, and the presets are what they are called."""

import re
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

from mmengine.config import Config

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
PRESETS = sorted(CONFIGS.glob('*/*_w?a?_g*.py'))


def test_presets_are_complete():
    coco = [p.name for p in PRESETS if p.parent.name == 'mask_rcnn']
    assert coco == [
        f'mask-rcnn_swin-{size}_coco_w{bits}a{bits}_g{groups}.py'
        for size in 'st'
        for bits in (4, 6)
        for groups in (12, 8)
    ]


@pytest.mark.parametrize('path', PRESETS, ids=lambda path: path.stem)
def test_preset(path):
    cfg = Config.fromfile(path, import_custom_modules=False)
    assert len(path.read_text().splitlines()) <= 4
    w_bits, a_bits, groups = map(
        int, re.search(r'_w(\d)a(\d)_g(\d+)$', path.stem).groups()
    )
    (hook,) = cfg.custom_hooks
    assert hook.type == 'igq_mmdet.IGQHook'
    assert hook.spec == dict(w_bits=w_bits, a_bits=a_bits, groups=groups)
    calib, test = cfg.calib_dataset, cfg.test_dataloader.dataset
    assert calib.ann_file != test.ann_file
    assert calib.test_mode
    scales = [
        [tuple(t.scale) for t in part.pipeline if t.type == 'Resize']
        for part in (calib, test)
    ]
    assert scales[0] == scales[1] != []
    loads = [t.type for t in calib.pipeline]
    assert 'LoadAnnotations' not in loads
