"""Class logits of detectors, with proposals fixed."""

import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.structures.bbox import bbox2roi

import igq_mmdet as igq
from igq_mmdet.detection.calibration.predictions import (
    QueryPredictions,
    RoIPredictions,
    predictor,
)
from igq_mmdet.detection.models.random_detector import (
    random_batch,
    random_detector,
)
from igq_mmdet.inspection.families import FEW_LAYERS
from tests.agreement import BETWEEN, each_alone, near

CASCADE = 'configs/demo/cascade-mask-rcnn_swin-mini_demo.py'


@pytest.fixture
def batch(experiment):
    (found,) = experiment.images(1, 0, False)
    return found


def features_and_proposals(detector, batch):
    data = detector.data_preprocessor(batch, False)
    features = detector.extract_feat(data['inputs'])
    proposals = detector.rpn_head.predict(
        features, data['data_samples'], rescale=False
    )
    return features, bbox2roi([found.bboxes for found in proposals])


@torch.no_grad()
def test_float_logits_are_the_detectors_own(experiment, batch):
    detector = experiment.detector.eval()
    features, rois = features_and_proposals(detector, batch)
    expected = detector.roi_head._bbox_forward(features, rois)['cls_score']
    (found,) = RoIPredictions(detector)(detector, batch)
    assert found.shape == (300, 81)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_copies_are_the_same_three_times(experiment, calibrated, batch):
    predict = predictor(experiment.detector.eval())
    (one,) = predict(experiment.detector, batch)
    (three,) = predict(experiment.detector, batch, 3)
    near(three, one.repeat(3, 1), BETWEEN)
    model = calibrated.model.eval()

    def run(copies):
        return predict(model, batch, copies)[0]

    three, alone = each_alone(model, run, 3, (1, 1, 1))
    near(torch.cat(alone), three, BETWEEN)


@torch.no_grad()
def test_cascade_has_three_stages(experiment, batch):
    detector = random_detector(CASCADE)
    predict = predictor(detector)
    stages = predict(detector, batch)
    assert [tuple(logits.shape) for logits in stages] == [(300, 81)] * 3
    features, rois = features_and_proposals(detector, batch)
    _, _, seen = predict._images[id(batch)]
    assert torch.equal(seen[0], rois)
    for stage, logits in enumerate(stages):
        own = detector.roi_head._bbox_forward(stage, features, seen[stage])
        torch.testing.assert_close(
            logits, own['cls_score'], rtol=1e-3, atol=1e-3
        )
        assert stage == 0 or not torch.equal(seen[stage], seen[stage - 1])


@torch.no_grad()
def test_cascade_whose_extractors_serve_masks_too(batch):
    detector = random_detector(CASCADE)
    shared = detector.roi_head.bbox_roi_extractor
    detector.roi_head.mask_roi_extractor = shared
    for extractor in shared:  # for the mask head's larger bins
        for layer in extractor.roi_layers:
            layer.output_size = (7, 7)
    assert len(predictor(detector)(detector, batch)) == 3


@torch.no_grad()
def test_an_image_without_proposals(experiment, batch, monkeypatch):
    detector = experiment.detector.eval()
    propose = detector.rpn_head.predict

    def nothing(*args, **kwargs):
        return [found[:0] for found in propose(*args, **kwargs)]

    monkeypatch.setattr(detector.rpn_head, 'predict', nothing)
    (logits,) = RoIPredictions(detector)(detector, batch, 2)
    assert logits.shape == (0, 81)


def test_batches_of_more_than_one_image(experiment):
    detector = experiment.detector.eval()
    with pytest.raises(igq.IGQError, match='batches of one image'):
        RoIPredictions(detector)(detector, random_batch(96, 96))


def test_one_stage_detectors_are_refused():
    detector = random_detector(
        'mmdet::pvt/retinanet_pvtv2-b0_fpn_1x_coco.py',
        {'backbone.init_cfg': None},
    )
    with pytest.raises(igq.IGQError, match='RetinaNet: no class prediction'):
        predictor(detector)


def test_box_heads_that_take_more_than_rois_are_refused():
    detector = random_detector(
        'mmdet::sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py',
        {'backbone.init_cfg': None},
    )
    with pytest.raises(igq.IGQError, match='DIIHead: allocation knows'):
        predictor(detector)


@torch.no_grad()
def test_queries_of_a_detr():
    detector = random_detector(
        'mmdet::detr/detr_r50_8xb2-150e_coco.py',
        {**FEW_LAYERS, 'backbone.init_cfg': None},
    )
    batch = random_batch(96, 128, 1)
    predict = predictor(detector)
    assert isinstance(predict, QueryPredictions)
    (one,) = predict(detector, batch)
    (three,) = predict(detector, batch, 3)
    assert one.shape == (100, 81)
    torch.testing.assert_close(
        three.view(3, 100, 81), one.expand(3, -1, -1), rtol=1e-3, atol=1e-4
    )


@torch.no_grad()
def test_independent_classes_are_a_softmax_over_two(experiment, batch):
    detector = experiment.detector.eval()
    (plain,) = RoIPredictions(detector)(detector, batch)
    loss = detector.roi_head.bbox_head.loss_cls
    loss.use_sigmoid = True
    try:
        (found,) = RoIPredictions(detector)(detector, batch)
    finally:
        loss.use_sigmoid = False
    probability = found.softmax(1)[:, 0].view_as(plain)
    torch.testing.assert_close(probability, plain.sigmoid())
