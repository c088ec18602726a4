"""A whole quantized detector: batches, empty images, reload."""

import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.structures.bbox import bbox2roi
from mmengine.dataset import pseudo_collate

import igq_mmdet as igq
from igq_mmdet.detection.calibration.ptq import DetectorCalibration
from igq_mmdet.detection.data.calibration_set import build_dataset
from igq_mmdet.kernels import library
from igq_mmdet.modules.swap import quantized_layers
from tests.agreement import BETWEEN, each_alone, near


@pytest.fixture(scope='module')
def pair(few_images):
    """Two images of one shape, so that a batch pads neither."""
    dataset = build_dataset(few_images().test_dataloader.dataset, 'test')
    by_shape = {}
    for index in range(len(dataset)):
        sample = dataset[index]
        shape = tuple(sample['inputs'].shape)
        if shape in by_shape:
            return by_shape[shape], sample
        by_shape[shape] = sample
    raise AssertionError('no two images of one shape')


def detections(model, *samples):
    with torch.no_grad():
        results = model.eval().test_step(pseudo_collate(list(samples)))
    return [result.pred_instances for result in results]


def box_head_calls(model, *samples):
    """Inputs and outputs of the box head's layers, by name, in order."""
    head, calls = model.roi_head.bbox_head, {}
    names = {layer: name for name, layer in quantized_layers(head).items()}

    def remember(layer, args, out):
        calls[names[layer]] = args[0].clone(), out.clone()

    handles = [layer.register_forward_hook(remember) for layer in names]
    found = detections(model, *samples)
    for handle in handles:
        handle.remove()
    return calls, found


def test_a_batch_is_its_images(calibrated, pair):
    """The whole detector but the choice of boxes, which are given."""
    model, kept = calibrated.model.eval(), (40, 25)

    def features(indices):
        batch = pseudo_collate([pair[i] for i in indices])
        data = model.data_preprocessor(batch, False)
        return model.extract_feat(data['inputs']), data['data_samples']

    with torch.no_grad():
        found = model.rpn_head.predict(*features((0, 1)))
    boxes = [own.bboxes[:n] for own, n in zip(found, kept, strict=True)]

    def run(indices):
        maps, _ = features(indices)
        model.rpn_head(maps)
        rois, head = bbox2roi([boxes[i] for i in indices]), model.roi_head
        masks = head._mask_forward(maps, rois)['mask_preds']
        found = head._bbox_forward(maps, rois)
        return found['cls_score'], found['bbox_pred'], masks

    together, alone = each_alone(model, run, (0, 1), [(0,), (1,)])
    for out, parts in zip(together, zip(*alone, strict=True), strict=True):
        assert tuple(map(len, parts)) == kept
        near(torch.cat(parts), out, BETWEEN)


def test_the_other_image_would_matter(calibrated, pair):
    """RoIs of a batch taken for one image give something else."""
    from igq_mmdet.modules import instances

    (rows, out) = box_head_calls(calibrated.model, *pair)[0]['shared_fcs.0']
    layer = calibrated.model.roi_head.bbox_head.shared_fcs[0]
    with torch.no_grad(), instances(rows=(len(rows),)):
        mixed = layer(rows)
    assert (mixed - out).abs().max() > 1e-3


@pytest.mark.parametrize('nothing', ['proposals', 'detections'])
def test_nothing_found(nothing, calibrated, pair):
    model = calibrated.model
    config = model.roi_head.test_cfg
    key, value = 'score_thr', 1.1
    if nothing == 'proposals':
        config, key, value = model.rpn_head.test_cfg, 'min_bbox_size', 10000
    before = config[key]
    config[key] = value
    try:
        for found in detections(model, *pair):
            assert len(found) == 0 and found.masks.shape[0] == 0
    finally:
        config[key] = before
    assert len(detections(model, pair[0])[0]) > 0


def test_reload_is_bit_identical(calibrated, experiment, pair):
    loaded = igq.load(experiment.detector, calibrated.path)
    state, own = calibrated.model.state_dict(), loaded.state_dict()
    assert state.keys() == own.keys()
    assert all(torch.equal(state[key], own[key]) for key in state)
    for one, two in zip(
        detections(calibrated.model, *pair),
        detections(loaded, *pair),
        strict=True,
    ):
        assert len(one) > 0
        for key in ('bboxes', 'scores', 'labels', 'masks'):
            assert torch.equal(one[key], two[key])
    assert str(igq.summary(loaded)) == str(igq.summary(calibrated.model))


def test_same_seed_same_model(calibrated, experiment):
    images = experiment.images(1, 0, False)
    spec = calibrated.spec
    again = DetectorCalibration(experiment.detector, images, [spec])
    state = again.apply(spec)[0].state_dict()
    for key, value in calibrated.model.state_dict().items():
        assert torch.equal(state[key], value), key


def test_float_detector_is_not_touched(calibrated, experiment):
    assert quantized_layers(experiment.detector) == {}
    assert not hasattr(experiment.detector, 'igq_spec')


@pytest.mark.parametrize(
    'changes',
    [
        dict(method='igq_integral', groups=8),
        dict(method='igq_integral', groups=12),
        dict(method='layerwise'),
        dict(method='igq', groups=8),
        dict(method='sorted', groups=8),
    ],
)
def test_integers_predict_what_is_simulated(experiment, pair, changes):
    """Bit by bit: boxes, scores, labels and masks."""
    spec = igq.QuantSpec(w_bits=4, a_bits=4, **changes)
    images = experiment.images(1, 0, False)
    calibration = DetectorCalibration(experiment.detector, images, [spec])
    simulated, _ = calibration.apply(spec)
    integer = igq.to_integer(simulated)
    assert None in integer.igq_runtime.values() or library() is None
    for sample in pair:
        (one,), (other,) = (
            detections(m, sample) for m in (simulated, integer)
        )
        assert len(one) > 0
        for name in ('bboxes', 'scores', 'labels', 'masks'):
            assert torch.equal(one[name], other[name]), name
