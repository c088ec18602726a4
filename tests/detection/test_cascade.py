"""Cascade Mask R-CNN: its configs, and its stages under quantization."""

import copy
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.structures.bbox import bbox2roi
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from safetensors.torch import load_file

import igq_mmdet as igq
from igq_mmdet.detection.calibration.calibration_forward import (
    calibration_forward,
)
from igq_mmdet.modules.swap import quantized_layers
from tests.agreement import BETWEEN, each_alone, near

ROOT = Path(__file__).resolve().parents[2]
CONFIGS = ROOT / 'configs'
FLOAT = 'cascade_mask_rcnn/cascade-mask-rcnn_swin-{}-p4-w7_fpn_4conv1fc-giou_amp-ms-crop-3x_coco.py'  # noqa: E501
DEMO = 'demo/cascade-mask-rcnn_swin-mini_demo.py'
TRAIN = 'demo/cascade-mask-rcnn_swin-mini_demo_train.py'
# Millions, from the original's table of results.
PARAMETERS = {'t': 86, 's': 107, 'b': 145}


def build(name, **test_cfg):
    cfg = Config.fromfile(CONFIGS / name, import_custom_modules=False)
    cfg.model.test_cfg.rcnn.update(test_cfg)
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return cfg, MODELS.build(cfg.model).eval()


def sample(height, width, seed=0):
    """What ``test_step`` takes, one image."""
    from mmdet.structures import DetDataSample

    image = torch.randint(
        0,
        256,
        (3, height, width),
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.uint8,
    )
    data = DetDataSample(
        metainfo=dict(
            img_shape=(height, width),
            ori_shape=(height, width),
            scale_factor=(1.0, 1.0),
            img_id=seed,
        )
    )
    data.gt_instances = InstanceData()
    return {'inputs': [image], 'data_samples': [data]}


def detections(model, *batches):
    with torch.no_grad():
        return [
            result.pred_instances
            for batch in batches
            for result in model.test_step(batch)
        ]


def test_presets_are_complete():
    presets = CONFIGS.glob('cascade_mask_rcnn/*_w?a?_g*.py')
    assert sorted(path.name for path in presets) == [
        f'cascade-mask-rcnn_swin-{size}_coco_w{bits}a{bits}_g{groups}.py'
        for size in 'bst'
        for bits in (4, 6)
        for groups in (12, 8)
    ]


@pytest.mark.parametrize('size', PARAMETERS)
def test_config_is_the_published_detector(size):
    cfg, model = build(FLOAT.format(size))
    count = sum(value.numel() for value in model.parameters())
    assert round(count / 1e6) == PARAMETERS[size]
    heads = cfg.model.roi_head.bbox_head
    assert len(heads) == len(cfg.model.train_cfg.rcnn) == 3
    for head, module in zip(heads, model.roi_head.bbox_head, strict=True):
        assert head.norm_cfg.type == 'SyncBN'
        assert head.loss_bbox.type == 'GIoULoss' and head.reg_decoded_bbox
        assert len(module.shared_convs) == 4 and len(module.shared_fcs) == 1
        assert module.fc_reg.out_features == 4 * 80
    stds = [head.bbox_coder.target_stds for head in heads]
    assert stds[0] > stds[1] > stds[2]
    thresholds = [c.assigner.pos_iou_thr for c in cfg.model.train_cfg.rcnn]
    assert thresholds == [0.5, 0.6, 0.7]
    (resize,) = [
        t
        for t in cfg.test_dataloader.dataset.pipeline
        if t['type'] == 'Resize'
    ]
    assert tuple(resize.scale) == (1333, 800)


@pytest.fixture(scope='module')
def calibrated():
    """The demo's Cascade, random weights: float and quantized."""
    _, model = build(DEMO, score_thr=0.0)
    spec = igq.QuantSpec(w_bits=4, a_bits=4, groups=4)
    qmodel = igq.quantize(model, spec)
    batches = [sample(96, 128), sample(64, 80, seed=1)]
    igq.calibrate(qmodel, batches, calibration_forward)
    return model, qmodel


def stages(qmodel, head):
    layers = quantized_layers(qmodel)
    return [
        {
            name.removeprefix(f'roi_head.{head}.{stage}.'): layer
            for name, layer in layers.items()
            if name.startswith(f'roi_head.{head}.{stage}.')
        }
        for stage in range(3)
    ]


@pytest.mark.parametrize(
    ('head', 'names'),
    [
        (
            'bbox_head',
            [f'shared_convs.{i}.conv' for i in range(4)]
            + ['shared_fcs.0', 'fc_cls', 'fc_reg'],
        ),
        ('mask_head', ['convs.0.conv', 'convs.1.conv', 'upsample']),
    ],
)
def test_stages_share_nothing(head, names, calibrated):
    first, second, third = stages(calibrated[1], head)
    assert set(first) == set(second) == set(third) >= set(names)
    for name in names:
        layers = [stage[name] for stage in (first, second, third)]
        assert {layer.config.part for layer in layers} == {head}
        quantizers = [layer.input_quantizer for layer in layers]
        assert len({id(q) for q in quantizers}) == 3
        assert len({layer.weight_codes.data_ptr() for layer in layers}) == 3
    for name in names[1:]:
        # The first layers may see the same RoIs; behind other weights the
        # ranges must differ.
        ranges = [
            torch.cat(
                [b.flatten() for b in stage[name].input_quantizer.buffers()]
            )
            for stage in (first, second, third)
        ]
        assert not torch.equal(ranges[0], ranges[1])
        assert not torch.equal(ranges[1], ranges[2])


def box_scores(qmodel, rois):
    """(N, 81) scores of every stage for the same RoIs."""
    generator = torch.Generator().manual_seed(0)
    features = [
        torch.randn(1, 64, 32 >> i, 32 >> i, generator=generator)
        for i in range(4)
    ]
    with torch.no_grad():
        return [
            qmodel.roi_head._bbox_forward(stage, features, rois)['cls_score']
            for stage in range(3)
        ]


def test_changing_one_stage_leaves_the_others(calibrated):
    qmodel = copy.deepcopy(calibrated[1])
    rois = torch.tensor([[0, 4.0, 4, 100, 90], [0, 20, 30, 60, 120]])
    before = box_scores(qmodel, rois)
    second = qmodel.roi_head.bbox_head[1].shared_convs[0].conv
    for buffer in second.input_quantizer.buffers():
        if buffer.is_floating_point():
            buffer.mul_(4)
    after = box_scores(qmodel, rois)
    equal = [torch.equal(a, b) for a, b in zip(after, before, strict=True)]
    assert equal == [True, False, True]


def test_a_batch_equals_its_images(calibrated):
    """All but the choice of boxes, which are given."""
    _, qmodel = calibrated
    one, two = sample(96, 128, 2), sample(96, 128, 3)
    both = {key: one[key] + two[key] for key in one}
    corners = torch.rand(7, 2, generator=torch.Generator().manual_seed(0)) * 50
    boxes = torch.cat([corners, corners + 40], 1)

    def run(batch):
        data = qmodel.data_preprocessor(copy.deepcopy(batch), False)
        maps, head = qmodel.extract_feat(data['inputs']), qmodel.roi_head
        qmodel.rpn_head(maps)
        rois = bbox2roi([boxes] * len(data['inputs']))
        return [
            forward(stage, maps, rois)[key]
            for stage in range(3)
            for forward, key in (
                (head._bbox_forward, 'cls_score'),
                (head._bbox_forward, 'bbox_pred'),
                (head._mask_forward, 'mask_preds'),
            )
        ]

    together, alone = each_alone(qmodel, run, both, (one, two))
    for out, parts in zip(together, zip(*alone, strict=True), strict=True):
        near(torch.cat(parts), out, BETWEEN)


def test_reload_is_bit_identical(calibrated, tmp_path):
    model, qmodel = calibrated
    path = tmp_path / 'cascade.safetensors'
    igq.save(qmodel, path)
    (a,) = detections(qmodel, sample(96, 128, 4))
    (b,) = detections(igq.load(model, path), sample(96, 128, 4))
    assert len(a) > 0
    for field in ('bboxes', 'scores', 'labels', 'masks'):
        assert torch.equal(a[field], b[field])


def test_no_proposal_is_fine(calibrated):
    scores = box_scores(calibrated[1], torch.zeros(0, 5))
    assert [tuple(score.shape) for score in scores] == [(0, 81)] * 3


@pytest.mark.slow
def test_full_size_quantizes():
    """Swin-T, 256 RoI channels: every layer of every stage sees data."""
    _, model = build(FLOAT.format('t'))
    qmodel = igq.quantize(model, igq.QuantSpec(w_bits=4, a_bits=4, groups=8))
    igq.calibrate(qmodel, [sample(96, 96)], calibration_forward)
    layers = quantized_layers(qmodel)
    boxes = [name for name in layers if '.bbox_head.' in name]
    masks = [name for name in layers if '.mask_head.' in name]
    assert len(boxes) == 3 * 7 and len(masks) == 3 * 6
    for name, layer in layers.items():
        assert all(q.ready for q in layer.quantizers().values()), name
    detections(qmodel, sample(64, 64, 5))


@pytest.mark.slow
def test_training_starts_from_the_demo(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)  # the demo's paths are relative to the project
    cfg = Config.fromfile(CONFIGS / TRAIN)
    cfg.work_dir = str(tmp_path)
    cfg.train_cfg.update(max_iters=2, val_interval=100)
    cfg.val_dataloader = cfg.val_evaluator = cfg.val_cfg = None
    cfg.train_dataloader.batch_size = 2
    runner = Runner.from_cfg(cfg)
    heads = {
        name: value.clone()
        for name, value in runner.model.state_dict().items()
        if name.startswith('roi_head') and value.dim() > 1
    }
    runner.train()
    weights = load_file(ROOT / 'demo/swin_mini_mask_rcnn.safetensors')
    trained = runner.model.state_dict()
    for name, value in weights.items():
        if name.startswith('backbone.'):
            assert torch.equal(trained[name], value.to(trained[name])), name
        elif not name.startswith('roi_head'):
            change = (trained[name] - value).norm() / value.norm()
            assert change < 0.1, name
    still = [k for k, v in heads.items() if torch.equal(trained[k], v)]
    assert len(heads) == 3 * (7 + 4) and not still
