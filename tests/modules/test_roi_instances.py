"""Box heads whose layers see other rows than RoIs."""

import pytest
import torch

import igq_mmdet as igq
from igq_mmdet.modules import instances
from tests.agreement import each_alone, near

pytest.importorskip('mmdet')

from mmdet.registry import MODELS

ROIS, SIDES, WIDTH = (3, 2), 7, 8


@pytest.fixture
def head():
    """SABL's box head, calibrated on the RoIs of two images."""
    torch.manual_seed(0)
    made = MODELS.build(
        dict(
            type='SABLHead',
            num_classes=2,
            cls_in_channels=WIDTH,
            reg_in_channels=WIDTH,
            cls_out_channels=WIDTH,
            reg_offset_out_channels=WIDTH,
            reg_cls_out_channels=WIDTH,
            bbox_coder=dict(
                type='BucketingBBoxCoder', num_buckets=14, scale_factor=1.7
            ),
        )
    )
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    qmodel = igq.quantize(made.eval(), igq.QuantSpec(groups=3))
    x = torch.randn(sum(ROIS), WIDTH, SIDES, SIDES)
    with instances(rows=ROIS):
        igq.calibrate(qmodel, [x])
    return qmodel, x


def run(qmodel):
    def of(rows_and_x):
        rows, x = rows_and_x
        with instances(rows=rows):
            scores, (buckets, offsets) = qmodel(x)
        return torch.cat([scores, buckets, offsets], dim=1)

    return of


def test_every_image_has_groups_of_its_own(head):
    qmodel, x = head
    singles = [
        ((n,), part) for n, part in zip(ROIS, x.split(ROIS), strict=True)
    ]
    together, alone = each_alone(qmodel, run(qmodel), (ROIS, x), singles)
    near(together, torch.cat(alone), 1e-4)


def test_a_roi_alone_is_an_image(head):
    qmodel, x = head
    ones = (1,) * len(x)
    with torch.no_grad():
        scores, (buckets, offsets) = qmodel(x)
        found = torch.cat([scores, buckets, offsets], dim=1)
        assert torch.equal(found, run(qmodel)((ones, x)))
