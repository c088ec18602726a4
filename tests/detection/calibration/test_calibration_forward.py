"""Every head sees data in calibration, detections or not."""

import copy

import pytest
import torch

pytest.importorskip('mmdet')

from igq_mmdet import QuantSpec
from igq_mmdet.detection.calibration.calibration_forward import (
    BOXES,
    boxes_for_all_heads,
    made_up,
)
from igq_mmdet.detection.calibration.ptq import DetectorCalibration


@pytest.fixture
def detector(experiment, monkeypatch):
    """The float detector, to be made blind."""
    detector = experiment.detector
    rcnn = detector.roi_head.test_cfg.copy()
    rpn = detector.rpn_head.test_cfg.copy()
    yield detector
    detector.roi_head.test_cfg = rcnn
    detector.rpn_head.test_cfg = rpn
    detector.roi_head.bbox_head.test_cfg = rcnn


@pytest.fixture
def rois(detector):
    """How many RoIs the mask head got at each call."""
    seen = []
    handle = detector.roi_head.mask_head.register_forward_pre_hook(
        lambda module, args: seen.append(len(args[0]))
    )
    yield seen
    handle.remove()


def blind(detector):
    detector.roi_head.test_cfg.score_thr = 1.1


def test_image_without_a_detection(detector, rois, experiment):
    images = experiment.images(1, 0, False)
    (batch,) = images
    blind(detector)
    with torch.no_grad():
        assert len(detector.test_step(batch)[0].pred_instances) == 0
    assert rois == []
    spec = QuantSpec(groups=4)
    qmodel, _ = DetectorCalibration(detector, images, [spec]).apply(spec)
    assert qmodel.roi_head.mask_head.conv_logits.frozen
    rois.clear()
    with torch.no_grad(), boxes_for_all_heads(detector):
        detector.test_step(batch)
    assert rois == [BOXES]
    # afterwards the detector is what it was
    assert 'predict' not in vars(detector.roi_head)
    assert 'predict_by_feat' not in vars(detector.roi_head.bbox_head)
    with torch.no_grad():
        assert len(detector.test_step(batch)[0].pred_instances) == 0


def test_best_boxes_are_taken_whatever_their_score(detector, experiment):
    (batch,) = experiment.images(1, 0, False)
    head = detector.roi_head
    # what mmdet itself detects without a threshold
    head.test_cfg.score_thr = -1.0
    head.test_cfg.max_per_img = BOXES
    with torch.no_grad():
        (expected,) = detector.test_step(batch)
        blind(detector)
        with boxes_for_all_heads(detector):
            (found,) = detector.test_step(batch)
    assert len(expected.pred_instances) == BOXES
    for key in ('bboxes', 'scores', 'labels', 'masks'):
        one, two = expected.pred_instances[key], found.pred_instances[key]
        assert torch.equal(one, two)


def test_soft_nms_does_not_drop_them(detector, experiment):
    (batch,) = experiment.images(1, 0, False)
    blind(detector)
    detector.roi_head.test_cfg.nms = dict(
        type='soft_nms', iou_threshold=0.5, min_score=0.99
    )
    with torch.no_grad(), boxes_for_all_heads(detector):
        (found,) = detector.test_step(batch)
    assert len(found.pred_instances) == BOXES


def test_image_by_image(detector, rois, experiment):
    """In a batch only the image without a detection gets boxes."""
    (one,) = experiment.images(1, 0, False)
    black = [torch.zeros_like(image) for image in one['inputs']]
    two = {'inputs': black, 'data_samples': one['data_samples']}
    scores = []
    with torch.no_grad():
        for batch in (one, two):
            (found,) = detector.test_step(copy.deepcopy(batch))
            best = found.pred_instances.scores.sort(descending=True).values
            scores.append(best[0].item() if len(best) else 0.0)
        # a threshold that the better one of the two passes
        detector.roi_head.test_cfg.score_thr = sum(scores) / 2
        both = {key: [*one[key], *copy.deepcopy(two[key])] for key in one}

        def counts():
            found = detector.test_step(copy.deepcopy(both))
            return [len(x.pred_instances) for x in found]

        plain = counts()
        assert min(plain) == 0 < max(plain)
        rois.clear()
        with boxes_for_all_heads(detector):
            filled = counts()
    assert filled == [count or BOXES for count in plain]
    assert rois == [sum(filled)]


def test_detections_are_left_alone(detector, rois, experiment):
    (batch,) = experiment.images(1, 0, False)
    with torch.no_grad():
        (plain,) = detector.test_step(batch)
        with boxes_for_all_heads(detector):
            (guarded,) = detector.test_step(batch)
    assert len(plain.pred_instances) > 0
    assert rois[0] == rois[1] == len(plain.pred_instances)
    for key in ('bboxes', 'scores', 'masks'):
        one, two = plain.pred_instances[key], guarded.pred_instances[key]
        assert torch.equal(one, two)


def test_no_proposal_at_all(detector, experiment):
    detector.rpn_head.test_cfg.min_bbox_size = 10000
    spec = QuantSpec(groups=4)
    images = experiment.images(1, 0, False)
    seen = []
    handle = detector.roi_head.bbox_roi_extractor.register_forward_pre_hook(
        lambda module, args: seen.append(args[1])
    )
    qmodel, _ = DetectorCalibration(detector, images, [spec]).apply(spec)
    handle.remove()
    assert len(seen[0]) == 21
    assert qmodel.roi_head.bbox_head.fc_cls.frozen
    assert qmodel.roi_head.mask_head.conv_logits.frozen


def test_made_up_proposals():
    found = made_up((40, 80), torch.zeros(()))
    assert found.bboxes.shape == (21, 4)
    assert found.bboxes[0].tolist() == [0, 0, 80, 40]
    assert found.bboxes[2].tolist() == [40, 0, 80, 20]
    assert found.bboxes[20].tolist() == [60, 30, 80, 40]
    # each size covers the image once
    areas = (found.bboxes[:, 2:] - found.bboxes[:, :2]).prod(1)
    assert areas.sum() == 3 * 40 * 80
    assert len(found.scores) == len(found.labels) == 21


def test_detector_without_masks(few_images, experiment):
    from mmengine.registry import MODELS

    config = few_images(
        'model.roi_head.mask_head=None',
        'model.roi_head.mask_roi_extractor=None',
    )
    boxes = MODELS.build(config.model).eval()
    boxes.roi_head.test_cfg.score_thr = 1.1
    (batch,) = experiment.images(1, 0, False)
    with torch.no_grad(), boxes_for_all_heads(boxes):
        (found,) = boxes.test_step(batch)
    # nothing comes after the boxes, so nothing is made up
    assert len(found.pred_instances) == 0


# heads that are called each in a way of its own
HEADS = (
    'htc/htc-without-semantic_r50_fpn_1x_coco.py',
    'htc/htc_r50_fpn_1x_coco.py',
    'scnet/scnet_r50_fpn_1x_coco.py',
    'point_rend/point-rend_r50-caffe_fpn_ms-1x_coco.py',
    'ms_rcnn/ms-rcnn_r50_fpn_1x_coco.py',
    'cascade_rcnn/cascade-mask-rcnn_r50_fpn_1x_coco.py',
)


@pytest.mark.parametrize('config', HEADS)
def test_whatever_way_a_head_is_called(config):
    from igq_mmdet.studies.zoo_check import check_member
    from igq_mmdet.studies.zoo_members import zoo_root

    row = check_member(zoo_root() / config)
    assert row['reason'] == ''
    assert row['result'] == 'works'
    assert row['without'] == []


def test_a_head_with_a_layer_that_is_not_quantized_is_named():
    from igq_mmdet.studies.zoo_check import check_member
    from igq_mmdet.studies.zoo_members import zoo_root

    config = 'grid_rcnn/grid-rcnn_r50_fpn_gn-head_1x_coco.py'
    row = check_member(zoo_root() / config)
    layer = 'roi_head.grid_head.deconv1: a transposed convolution'
    assert f'{layer} with groups=9 is not supported' in row['reason']
