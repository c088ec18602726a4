"""Layers, bits, MACs, BOPs and bytes of each part."""

import pytest
import torch
from torch import nn

import igq_mmdet as igq


class Detector(nn.Module):
    """Two parts of a detector, as far as names go."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, 8, 2, 2), nn.ReLU())
        self.bbox_head = nn.Linear(8, 4)

    def forward(self, image):
        x = self.backbone(image)
        return self.bbox_head(x.flatten(2).transpose(1, 2))


@pytest.fixture
def qmodel():
    torch.manual_seed(0)
    spec = igq.QuantSpec(
        parts={'backbone': {'w_bits': 8}, 'bbox_head': {}}, groups=2
    )
    qmodel = igq.quantize(Detector(), spec)
    igq.calibrate(qmodel, [torch.randn(1, 3, 8, 8), torch.randn(1, 3, 8, 8)])
    return qmodel


def test_parts(qmodel):
    summary = igq.summary(qmodel)
    assert list(summary) == ['backbone', 'bbox_head'] and len(summary) == 2
    backbone, head = summary['backbone'], summary['bbox_head']
    assert backbone.w_bits == (8,) and head.w_bits == (4,)
    assert backbone.a_bits == (8,) and head.a_bits == (4,)
    assert backbone.groups == () and head.groups == (2,)
    # of one image, though there were two
    assert backbone.cost.macs == 16 * 3 * 2 * 2 * 8
    assert head.cost.macs == 16 * 8 * 4
    assert backbone.cost.bops == backbone.cost.macs * 8 * 8
    assert head.cost.bops > head.cost.macs * 4 * 4
    assert summary.total.macs == backbone.cost.macs + head.cost.macs


def test_prints_as_a_table(qmodel):
    lines = str(igq.summary(qmodel)).splitlines()
    assert lines[0].split()[:5] == ['part', 'layers', 'W', 'A', 'groups']
    assert lines[2].split()[:5] == ['backbone', '1', '8', '8', '-']
    assert lines[3].split()[:5] == ['bbox_head', '1', '4', '4', '2']
    assert lines[4].split()[:2] == ['total', '2']
