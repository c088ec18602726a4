"""Padding of the DETR family and heads that get all layers at once."""

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.modules.instances import instances, instances_inside
from igq_mmdet.modules.layers.linear import QuantLinear
from tests.agreement import each_alone

pytest.importorskip('mmdet')

from mmcv.ops import MultiScaleDeformableAttention
from mmdet.models.dense_heads import DETRHead
from mmdet.models.layers.transformer.deformable_detr_layers import (
    DeformableDetrTransformerEncoderLayer,
)
from mmdet.models.layers.transformer.detr_layers import (
    DetrTransformerEncoderLayer,
)
from mmdet.models.layers.transformer.utils import ConditionalAttention

WIDTH, SPEC = 16, igq.QuantSpec(groups=3)
SHAPES = torch.tensor([[3, 4]])
FFN = dict(embed_dims=WIDTH, feedforward_channels=24)


def tokens(*shape):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator)


def padded(first):
    """Two images of 12 tokens, the second with 5 of padding."""
    mask = torch.zeros(2, 12, dtype=torch.bool)
    mask[1, 7:] = True
    x = tokens(2, 12, WIDTH)
    x[mask] = first
    return x, mask


def encoder_layer():
    layer = DetrTransformerEncoderLayer(
        self_attn_cfg=dict(embed_dims=WIDTH, num_heads=2), ffn_cfg=FFN
    )
    return layer, {}


def deformable_encoder_layer():
    layer = DeformableDetrTransformerEncoderLayer(
        self_attn_cfg=dict(embed_dims=WIDTH, num_heads=2, num_levels=1),
        ffn_cfg=FFN,
    )
    more = dict(
        spatial_shapes=SHAPES,
        reference_points=torch.full((2, 12, 1, 2), 0.5),
        level_start_index=torch.zeros(1, dtype=torch.long),
    )
    return layer, more


@pytest.mark.parametrize('make', [encoder_layer, deformable_encoder_layer])
def test_padding_of_an_encoder_does_not_count(make):
    torch.manual_seed(0)
    layer, more = make()
    layer.eval()
    results = []
    for filler in (0.0, 50.0):
        x, mask = padded(filler)
        qlayer = igq.quantize(layer, SPEC)
        call = dict(
            query=x,
            query_pos=torch.zeros_like(x),
            key_padding_mask=mask,
            **more,
        )
        torch.testing.assert_close(qlayer(**call), layer(**call))
        assert not igq.coverage(qlayer, **call).uncovered
        igq.calibrate(qlayer, [call])
        results.append(qlayer(**call)[~mask])
    torch.testing.assert_close(*results)


def test_padding_of_deformable_cross_attention_does_not_count():
    torch.manual_seed(0)
    attention = MultiScaleDeformableAttention(
        WIDTH, 2, num_levels=1, batch_first=True, dropout=0.0
    ).eval()
    results = []
    for filler in (0.0, 50.0):
        value, mask = padded(filler)
        qattention = igq.quantize(attention, SPEC)
        call = dict(
            query=tokens(2, 5, WIDTH),
            value=value,
            key_padding_mask=mask,
            spatial_shapes=SHAPES,
            reference_points=torch.full((2, 5, 1, 2), 0.5),
            level_start_index=torch.zeros(1, dtype=torch.long),
        )
        igq.calibrate(qattention, [call])
        results.append(qattention(**call))
        assert not qattention.value_proj._forward_pre_hooks
    assert torch.equal(*results)


@pytest.mark.parametrize('cross', [False, True])
@pytest.mark.parametrize('kind', [None, 'flat', 'full', 'float'])
def test_conditional_attention_equals_float(cross, kind):
    torch.manual_seed(0)
    attention = ConditionalAttention(WIDTH, 2, cross_attn=cross).eval()
    key, padding = padded(50.0)
    query = tokens(2, 12, WIDTH)
    mask = None
    if kind is not None:
        shape = (4, 12, 12) if kind == 'full' else (12, 12)
        mask = tokens(*shape)
        if kind != 'float':
            mask = mask > 0.8
            mask[..., 0] = False
    call = dict(
        query=query,
        key=key if cross else None,
        query_pos=query.flip(0),
        key_pos=key.flip(0),
        ref_sine_embed=query.flip(1),
        attn_mask=mask,
        key_padding_mask=padding,
        is_first=True,
    )
    qattention = igq.quantize(attention, SPEC)
    torch.testing.assert_close(qattention(**call), attention(**call))
    assert not igq.coverage(qattention, **call).uncovered


def test_a_head_that_gets_all_layers_keeps_images_apart():
    torch.manual_seed(0)
    head = DETRHead(num_classes=3, embed_dims=WIDTH, num_reg_fcs=2).eval()
    hidden = tokens(4, 2, 5, WIDTH)  # layers, images, queries
    hidden[:, 1] *= 5
    qhead = igq.quantize(head, SPEC)
    for found, wanted in zip(qhead(hidden), head(hidden), strict=True):
        torch.testing.assert_close(found, wanted)
    igq.calibrate(qhead, [(hidden,)])
    both, alone = each_alone(qhead, qhead, hidden, hidden.split(1, 1))
    for x, *parts in zip(both, *alone, strict=True):
        torch.testing.assert_close(torch.cat(parts, 1), x)
    points = qhead.fc_cls.input_quantizer
    assert points.groups == 3


def test_layout_of_one_layer_only():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    qnet = igq.quantize(net, SPEC)
    assert all(isinstance(layer, QuantLinear) for layer in qnet)
    x = tokens(6, 4)
    with pytest.raises(ValueError, match='6 rows do not belong to images'):
        with instances(images=4):
            igq.calibrate(qnet, [x])
    qnet = igq.quantize(net, SPEC)
    with pytest.raises(ValueError, match='6 rows do not belong'):
        with instances_inside(qnet[1], rows=(2, 2)):
            igq.calibrate(qnet, [x])
    assert not qnet[1]._forward_pre_hooks
