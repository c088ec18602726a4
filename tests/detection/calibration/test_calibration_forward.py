"""Every head sees data in calibration, detections or not."""

import pytest
import torch

pytest.importorskip('mmdet')

from igq_mmdet import QuantSpec
from igq_mmdet.detection.calibration.calibration_forward import (
    PROPOSALS,
    masks_of_proposals,
)
from igq_mmdet.detection.calibration.ptq import DetectorCalibration
from igq_mmdet.errors import CalibrationError


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
    with torch.no_grad(), masks_of_proposals(detector):
        detector.test_step(batch)
    assert rois == [PROPOSALS]
    # afterwards the detector is what it was
    assert not {'predict', 'predict_mask'} & set(vars(detector.roi_head))
    with torch.no_grad():
        assert len(detector.test_step(batch)[0].pred_instances) == 0


def test_best_proposals_are_taken(detector, experiment, monkeypatch):
    (batch,) = experiment.images(1, 0, False)
    blind(detector)
    head = detector.roi_head
    proposals, given = [], []
    predict, predict_mask = head.predict, head.predict_mask

    def see_proposals(x, results, *args, **kw):
        proposals.extend(results)
        return predict(x, results, *args, **kw)

    def see_boxes(x, metas, results, *args, **kw):
        given.extend(results)
        return predict_mask(x, metas, results, *args, **kw)

    monkeypatch.setattr(head, 'predict', see_proposals)
    monkeypatch.setattr(head, 'predict_mask', see_boxes)
    with torch.no_grad(), masks_of_proposals(detector):
        detector.test_step(batch)
    scores = proposals[0].scores.sort(descending=True).values
    assert torch.equal(given[0].scores, scores[:PROPOSALS])


def test_detections_are_left_alone(detector, rois, experiment):
    (batch,) = experiment.images(1, 0, False)
    with torch.no_grad():
        (plain,) = detector.test_step(batch)
        with masks_of_proposals(detector):
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
    calibration = DetectorCalibration(detector, images, [spec])
    with pytest.raises(CalibrationError, match='saw no data') as info:
        calibration.statistics  # noqa: B018  collected when asked for
    assert 'roi_head.bbox_head' in str(info.value)
    assert '\n' not in str(info.value)


def test_detector_without_masks(few_images):
    from mmengine.registry import MODELS

    config = few_images(
        'model.roi_head.mask_head=None',
        'model.roi_head.mask_roi_extractor=None',
    )
    boxes = MODELS.build(config.model)
    with masks_of_proposals(boxes):
        assert 'predict' not in vars(boxes.roi_head)
