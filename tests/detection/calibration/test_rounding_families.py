"""Weights of transformer heads rounded by what their layers see."""

import pytest
import torch

pytest.importorskip('mmdet')

import igq_mmdet as igq
from igq_mmdet.detection.calibration.calibration_forward import (
    calibration_forward,
)
from igq_mmdet.detection.models.random_detector import (
    random_batch,
    random_detector,
)
from igq_mmdet.inspection.families import MMDET

pytestmark = pytest.mark.slow

# projections of attentions, and queries that begin as zeros
LAYERS = {
    'DETR': ('decoder.layers.0*', 'bbox_head*'),
    'Deformable DETR': ('encoder.layers.0*', 'decoder.layers.0*'),
}


@pytest.mark.parametrize(
    'family',
    [family for family in MMDET if family.name in LAYERS],
    ids=lambda family: family.name,
)
def test_every_kind_of_layer(family):
    detector = random_detector(
        family.model, {**family.options, **family.smaller}
    )
    batch = random_batch(family.size, family.size + 32)
    codes = {}
    for weights in ('nearest', 'ridge+gptq'):
        spec = igq.QuantSpec(
            groups=4, weights=weights, include=LAYERS[family.name]
        )
        qmodel = igq.quantize(detector, spec)
        igq.calibrate(qmodel, [batch], calibration_forward)
        calibration_forward(qmodel, batch)
        codes[weights] = {
            name: value
            for name, value in qmodel.state_dict().items()
            if name.endswith('weight_codes')
        }
    changed = [
        not torch.equal(value, codes['nearest'][name])
        for name, value in codes['ridge+gptq'].items()
    ]
    assert sum(changed) > len(changed) // 2
