"""Every product of a run is counted, whatever way it is written."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import igq_mmdet as igq
from igq_mmdet.inspection.coverage import traced_coverage
from igq_mmdet.report import uncovered_lines


class Net(nn.Module):
    """Three ways around a quantized layer, and one through it."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.fc = nn.Linear(6, 6)
        self.stem = nn.Conv2d(3, 6, 2, 2)

    def forward(self, x):
        x = self.stem(x).flatten(2).transpose(1, 2)
        if self.way == 'linear':
            return self.fc(F.linear(x, self.fc.weight))
        x = self.fc(x)
        if self.way == 'fused':
            heads = x[:, None]
            return F.scaled_dot_product_attention(heads, heads, heads)
        if self.way == 'einsum':
            scores = torch.einsum('bnc,bmc->bnm', x, x)
            return scores.softmax(-1) @ x
        return x


@pytest.fixture
def image():
    torch.manual_seed(0)
    return torch.randn(2, 3, 8, 8)


def test_all_products_of_plain_layers_are_quantized(image):
    qmodel = igq.quantize(Net('plain'), igq.QuantSpec())
    found = igq.coverage(qmodel, image)
    assert not found.uncovered
    assert [(r.layer, r.kind, r.state) for r in found.rows] == [
        ('stem', 'conv', 'quantized'),
        ('fc', 'linear', 'quantized'),
    ]
    macs = {row.layer: row.macs for row in found.rows}
    assert macs == {'stem': 2 * 16 * 6 * 12, 'fc': 2 * 16 * 6 * 6}


@pytest.mark.parametrize(
    'way, kinds',
    [
        ('linear', ['linear']),
        ('fused', ['softmax']),
        ('einsum', ['product', 'softmax']),
    ],
)
def test_a_bypass_is_named(image, way, kinds):
    qmodel = igq.quantize(Net(way), igq.QuantSpec())
    found = igq.coverage(qmodel, image)
    assert [row.kind for row in found.uncovered] == kinds
    assert found.count('linear')[0] == 1
    assert 'uncovered: the model itself' in str(found)
    assert len(found.to_dict()['uncovered']) == len(kinds)


def test_what_the_spec_leaves_out_is_excluded(image):
    qmodel = igq.quantize(Net('plain'), igq.QuantSpec(exclude='stem'))
    found = igq.coverage(qmodel, image)
    assert not found.uncovered
    assert found.count('conv') == (0, 1)
    assert found.rows[0].state == 'excluded'
    assert found.rows[0].reason == 'by include or exclude'


def test_it_leaves_the_model_as_it_was(image):
    qmodel = igq.quantize(Net('plain'), igq.QuantSpec(w_bits=4, a_bits=4))
    igq.calibrate(qmodel, [image])
    before, work = qmodel(image), qmodel.fc.workload
    found = igq.coverage(qmodel, image)
    assert not found.uncovered and found.count('linear') == (1, 1)
    assert torch.equal(qmodel(image), before)
    assert qmodel.fc.workload is work
    assert not qmodel.fc._forward_hooks


def test_a_value_changed_after_quantization_is_float_again(image):
    class Late(Net):
        def forward(self, x):
            x = self.stem(x).flatten(2).transpose(1, 2)
            quantizer = self.fc.input_quantizer
            rows = quantizer(x.reshape(-1, 6).clone())
            return F.linear(rows + 1, self.fc.effective_weight())

    qmodel = igq.quantize(Net('plain'), igq.QuantSpec())
    qmodel.__class__ = Late
    assert [r.kind for r in igq.coverage(qmodel, image).uncovered] == [
        'linear'
    ]


def test_a_float_model_is_refused(image):
    with pytest.raises(igq.IGQError, match='not a quantized model'):
        igq.coverage(Net('plain'), image)


def test_the_demo_detector_is_covered(demo_model):
    from mmdet.structures import DetDataSample

    from igq_mmdet.detection.calibration.calibration_forward import (
        calibration_forward,
    )

    sample = DetDataSample(
        metainfo=dict(
            img_shape=(64, 96), ori_shape=(64, 96), scale_factor=(1.0, 1.0)
        )
    )
    batch = {'inputs': [torch.zeros(3, 64, 96)], 'data_samples': [sample]}
    qmodel = igq.quantize(demo_model, igq.QuantSpec(parts='backbone,neck'))
    found = traced_coverage(qmodel, [batch], calibration_forward)
    assert not found.uncovered
    assert found.count('softmax') == found.count('product') == (10, 10)
    assert {row.part for row in found.rows if row.state == 'float'} == {
        'rpn',
        'bbox_head',
        'mask_head',
    }


def test_a_report_names_bypasses_once(image):
    qmodel = igq.quantize(Net('fused'), igq.QuantSpec())
    found = igq.coverage(qmodel, image).to_dict()
    runs = [{'name': str(i), 'coverage': found} for i in range(2)]
    (line,) = uncovered_lines({'runs': [*runs, {'name': 'older'}]})
    assert line.startswith('warning: the model itself: softmax (_scaled_dot')
    assert line.endswith("runs in float, inside the quantized part 'model'")
    plain = igq.coverage(igq.quantize(Net('plain'), igq.QuantSpec()), image)
    assert not uncovered_lines({'runs': [{'coverage': plain.to_dict()}]})
