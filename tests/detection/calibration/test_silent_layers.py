"""Detectors with layers that no image reaches: what is said, and that it
helps."""

import copy
import re

import pytest
from mmengine.hub import get_config

import igq_mmdet as igq
from igq_mmdet.calibration import collect
from igq_mmdet.detection.calibration.calibration_forward import (
    calibration_forward,
)
from igq_mmdet.detection.models.random_detector import (
    random_batch,
    random_detector,
)
from igq_mmdet.errors import CalibrationError
from igq_mmdet.studies.zoo_members import narrower, smaller

SAID = {
    'tood/tood_r50_fpn_1x_coco.py': [
        'bbox_head.cls_decomp.reduction_conv.conv, '
        'bbox_head.reg_decomp.reduction_conv.conv saw no data during '
        'calibration, for TaskDecomposition.forward '
        '(models/dense_heads/tood_head.py) reads the weight and does not call '
        'the layer; leave them in float with exclude=['
        "'bbox_head.cls_decomp.reduction_conv.*', "
        "'bbox_head.reg_decomp.reduction_conv.*']"
    ],
    'yolact/yolact_r50_1xb8-55e_coco.py': [
        'mask_head.segm_branch.segm_conv saw no data during calibration, for '
        'the model uses mask_head.segm_branch in training only; leave them in '
        "float with exclude=['mask_head.segm_branch.*']"
    ],
    'ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py': [
        'for the model uses bbox_head.aux_cls_branches in training only',
        'for the model uses bbox_head.aux_reg_branches in training only',
        "exclude=['bbox_head.aux_cls_branches.*', "
        "'bbox_head.aux_reg_branches.*']",
    ],
}


@pytest.mark.parametrize('config', SAID)
def test_they_are_told_with_the_remedy(config):
    made = get_config(f'mmdet::{config}')
    made.merge_from_dict(
        {f'model.{key}': value for key, value in smaller(made.model).items()}
    )
    if not config.startswith('ddq'):  # whose widths hang together
        made.model = type(made.model)(narrower(made.model))
    detector = random_detector(made)
    batch = random_batch(64, 64)

    def seen(exclude):
        spec = igq.QuantSpec(groups=4, exclude=exclude)
        qmodel = igq.quantize(detector, spec)
        return collect(qmodel, [copy.deepcopy(batch)], calibration_forward)

    with pytest.raises(CalibrationError) as raised:
        seen([])
    text = str(raised.value)
    for part in SAID[config]:
        assert part in text
    exclude = re.findall(r"'([^']+)'", text)
    if config.startswith('ddq'):  # the small decoder leaves a branch over
        exclude += ['bbox_head.cls_branches.3', 'bbox_head.reg_branches.3.*']
    assert seen(exclude).images == 2
