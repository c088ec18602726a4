"""Data samples come back from their lines exactly."""

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from hypothesis import given, settings
from hypothesis import strategies as st
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes
from mmengine.structures import InstanceData, PixelData

from igq_mmdet.detection.kept.prediction_lines import (
    CannotKeep,
    rle_masks,
    to_entry,
    to_sample,
    with_masks,
)
from igq_mmdet.files.journal import decode, encode

META = {
    'img_id': 139,
    'img_path': 'images/a.jpg',
    'ori_shape': (5, 7),
    'scale_factor': (0.1, 0.3),
    'text': ['a', 'b'],
}


def sample_of(seed, boxes, masks=True, **more):
    generator = torch.Generator().manual_seed(seed)
    pred = InstanceData(
        scores=torch.rand(boxes, generator=generator),
        labels=torch.randint(80, (boxes,), generator=generator),
        bboxes=torch.randn(boxes, 4, generator=generator) * 1e3,
        **more,
    )
    if masks:
        pred.masks = torch.rand(boxes, 5, 7, generator=generator) > 0.5
    return DetDataSample(metainfo=META, pred_instances=pred)


def back(sample, decoded=True, with_truth=True):
    entry = to_entry(sample, 139, with_truth)
    return to_sample(decode(encode(entry)), decoded)


def same(one, other):
    assert set(one.keys()) == set(other.keys())
    for key, value in one.items():
        assert type(other[key]) is type(value), key
        if isinstance(value, torch.Tensor):
            assert other[key].dtype == value.dtype
            assert other[key].shape == value.shape
            assert torch.equal(other[key], value)
        else:
            assert np.array_equal(other[key], value)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**31), st.integers(0, 5), st.booleans())
def test_exact(seed, boxes, masks):
    sample = sample_of(seed, boxes, masks)
    again = back(sample)
    same(sample.pred_instances, again.pred_instances)
    assert again.metainfo == sample.metainfo


def test_rle_is_what_coco_metrics_make_of_masks():
    sample = sample_of(0, 3)
    rle = rle_masks(sample.pred_instances.masks)
    assert back(sample, decoded=False).pred_instances.masks == rle
    light = with_masks(sample, rle)
    assert light.pred_instances.masks == rle
    assert isinstance(sample.pred_instances.masks, torch.Tensor)
    assert back(light).pred_instances.masks.equal(sample.pred_instances.masks)


def test_unusual_types_and_further_fields():
    sample = sample_of(
        1,
        2,
        mask_scores=torch.tensor([0.1, 0.2], dtype=torch.float64),
        names=['a', 'b'],
        points=np.arange(4, dtype=np.int16).reshape(2, 2),
    )
    sample.pred_instances.scores = sample.pred_instances.scores.half()
    sample.pred_instances.bboxes = torch.rand(2, 5)
    same(sample.pred_instances, back(sample).pred_instances)


def test_boxes_with_a_type_come_back_as_tensors():
    sample = sample_of(1, 2)
    boxes = sample.pred_instances.bboxes
    sample.pred_instances.bboxes = HorizontalBoxes(boxes)
    assert torch.equal(back(sample).pred_instances.bboxes, boxes)


def test_annotations_are_kept_where_metrics_want_them():
    sample = sample_of(1, 2)
    sample.gt_instances = InstanceData(
        bboxes=HorizontalBoxes(torch.rand(3, 4)), labels=torch.arange(3)
    )
    sample.ignored_instances = InstanceData(
        bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long)
    )
    again = back(sample)
    truth = sample.gt_instances
    assert torch.equal(again.gt_instances.bboxes, truth.bboxes.tensor)
    assert torch.equal(again.gt_instances.labels, truth.labels)
    same(sample.ignored_instances, again.ignored_instances)
    assert 'gt_instances' not in back(sample, with_truth=False)


def test_what_cannot_be_kept_is_named():
    maps = PixelData(sem_seg=torch.zeros(1, 5, 7))
    panoptic = sample_of(1, 2)
    panoptic.pred_panoptic_seg = maps
    with pytest.raises(CannotKeep, match='pred_instances, pred_panoptic_seg'):
        to_entry(panoptic, 1, False)
    with pytest.raises(CannotKeep, match='nothing predicted'):
        to_entry(DetDataSample(metainfo=META), 1, False)
    strange = sample_of(1, 2, what=[object(), object()])
    with pytest.raises(CannotKeep, match='what: list'):
        to_entry(strange, 1, False)
