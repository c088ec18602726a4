"""The hook under the stock tools/test.py and under mmengine's Runner."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet')

import mmdet
from mmengine.hooks import EMAHook, Hook
from mmengine.runner import Runner
from safetensors.torch import load_file, save_file

from igq_mmdet.detection.models.inner_detector import inner_detector
from igq_mmdet.errors import CheckpointError, DataError, SpecError
from igq_mmdet.report.metrics import defined

from ...conftest import ROOT
from ...few import few
from ...jobs.real_processes import environment
from ..conftest import CONFIG, FEW, FIELDS, FLOAT

PRESET = 'configs/demo/mask-rcnn_swin-mini_demo_w4a4_g12.py'
STOCK = Path(mmdet.__file__).parent / '.mim/tools/test.py'


def hook(**fields):
    return dict(type='igq_mmdet.IGQHook', **fields)


def build(config, work_dir, *hooks, load_from=FLOAT):
    config.work_dir = str(work_dir)
    config.load_from = load_from
    config.custom_hooks = list(hooks)
    return Runner.from_cfg(config)


def report_of(work_dir):
    return json.loads((Path(work_dir) / 'igq_report.json').read_text())


def state_of(model):
    return {k: v.clone() for k, v in model.state_dict().items()}


def same_state(model, state):
    own = model.state_dict()
    return own.keys() == state.keys() and all(
        torch.equal(own[key], state[key]) for key in state
    )


@pytest.mark.slow
@pytest.mark.parametrize('kind', ['float', 'quantized'])
def test_stock_test_script(kind, calibrated, tmp_path):
    checkpoint = FLOAT if kind == 'float' else calibrated.path
    subprocess.run(
        [sys.executable, STOCK, PRESET, checkpoint, '--cfg-options', *FEW]
        + [f'work_dir={tmp_path}'],
        cwd=ROOT,
        env=environment(),
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    (run,) = report_of(tmp_path)['runs']
    assert run['metrics'] == calibrated.numbers
    assert run['calibration']['image_ids'] == [*calibrated.record.image_ids]
    assert run['calibration']['seed'] == 0


def test_val_leaves_the_float_model_alone(few_images, calibrated, tmp_path):
    runner = build(few_images(), tmp_path, hook(spec=FIELDS))
    runner.load_or_resume()
    model, before = runner.model, state_of(runner.model)
    metrics = runner.val()
    assert runner.model is model
    assert same_state(model, before)
    assert {k: metrics[k] for k in calibrated.numbers} == calibrated.numbers
    assert report_of(tmp_path)['runs'][0]['metrics'] == calibrated.numbers


def test_names_an_evaluation_image(few_images, calibrated, tmp_path):
    """Of another size than annotated, as the stock script would take it."""
    data = json.loads(Path('demo/instances_eval.json').read_text())
    data['images'][0]['width'] += 1
    path = tmp_path / 'ann.json'
    path.write_text(json.dumps(data))
    config = few_images(
        f'test_dataloader.dataset.ann_file={path}',
        f'test_evaluator.ann_file={path}',
    )
    runner = build(config, tmp_path, hook(), load_from=calibrated.path)
    with pytest.raises(DataError, match='30.jpg: evaluation image is 400 x'):
        runner.test()


def test_saves_before_evaluation(few_images, calibrated, tmp_path):
    class Crash(Hook):
        def before_test_iter(self, runner, *args, **kw):
            raise RuntimeError('power cut')

    path = tmp_path / 'q.safetensors'
    runner = build(few_images(), tmp_path, hook(spec=FIELDS, save=str(path)))
    runner.register_hook(Crash())
    model = runner.model
    with pytest.raises(RuntimeError, match='power cut'):
        runner.test()
    assert path.is_file()
    assert not (tmp_path / 'igq_report.json').exists()
    # the next evaluation starts from the float model again
    runner._hooks = [h for h in runner.hooks if not isinstance(h, Crash)]
    runner.test()
    assert runner.model is model
    assert report_of(tmp_path)['runs'][0]['metrics'] == calibrated.numbers


class Watch(Hook):
    """Remembers what is evaluated."""

    def __init__(self):
        self.evaluated = []

    def before_val_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == 0:
            model = inner_detector(runner.model)
            norm = model.backbone.stages[0].blocks[0].norm1.weight
            self.evaluated.append((model, norm.detach().clone()))


@pytest.mark.slow
def test_training_with_ema(few_images, tmp_path):
    config = few_images(
        'train_dataloader.batch_size=2',
        'train_cfg.max_iters=4',
        'train_cfg.val_interval=2',
        *few(2),
        # scores of two iterations are low, and NMS of them slow
        'model.test_cfg.rcnn.score_thr=0.5',
        filename=CONFIG.replace('demo.py', 'demo_stage1.py'),
    )
    config.default_hooks.pop('checkpoint')
    ema = dict(type='EMAHook', momentum=0.5)
    runner = build(config, tmp_path, hook(spec=FIELDS), ema)
    watch = Watch()
    runner.register_hook(watch)
    model = runner.model
    runner.train()
    assert runner.model is model and not hasattr(model, 'igq_spec')
    assert runner.iter == 4 and len(watch.evaluated) == 2
    average = next(h for h in runner.hooks if isinstance(h, EMAHook))
    name = 'backbone.stages.0.blocks.0.norm1.weight'
    (first, one), (second, two) = watch.evaluated
    assert first is not second and first.igq_spec == second.igq_spec
    assert not torch.equal(one, two)  # calibrated anew on newer weights
    # what was evaluated are the averaged weights, not the trained ones
    assert torch.equal(two, average.ema_model.module.state_dict()[name])
    assert not torch.equal(two, model.state_dict()[name])


@pytest.mark.slow
def test_test_time_augmentation(few_images, tmp_path):
    # mmdet augments boxes alone
    config = few_images(
        'test_evaluator.metric=bbox',
        'model.roi_head.mask_head=None',
        'model.roi_head.mask_roi_extractor=None',
    )
    weights = str(tmp_path / 'boxes.safetensors')
    state = load_file(FLOAT)
    save_file({k: state[k] for k in state if 'mask_head' not in k}, weights)
    pipeline = config.test_dataloader.dataset.pipeline
    keys = (*pipeline[-1].meta_keys, 'flip', 'flip_direction')
    pipeline[-1] = dict(
        type='TestTimeAug',
        transforms=[
            [dict(type='RandomFlip', prob=p) for p in (1.0, 0.0)],
            [dict(type='PackDetInputs', meta_keys=keys)],
        ],
    )
    config.model = dict(
        type='DetTTAModel',
        tta_cfg=dict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=99),
        module=config.model,
    )
    runner = build(config, tmp_path, hook(spec=FIELDS), load_from=weights)
    wrapper, detector = runner.model, runner.model.module
    runner.test()
    assert runner.model is wrapper and wrapper.module is detector
    assert not hasattr(detector, 'igq_spec')
    assert report_of(tmp_path)['runs'][0]['metrics']['coco/bbox_mAP'] > 0


@pytest.mark.parametrize('path', ['float', 'quantized'])
def test_wants_a_spec(path, few_images, calibrated, tmp_path):
    checkpoint = FLOAT if path == 'float' else calibrated.path
    spec = None if path == 'float' else FIELDS | {'groups': 8}
    runner = build(
        few_images(), tmp_path, hook(spec=spec), load_from=checkpoint
    )
    with pytest.raises(SpecError, match='spec'):
        runner.test()


def test_refuses_another_architecture(few_images, tmp_path):
    config = few_images('model.neck.out_channels=32')
    config.model.rpn_head.in_channels = 32
    runner = build(config, tmp_path, hook(spec=FIELDS))
    with pytest.raises(CheckpointError, match='neck.lateral_convs.0') as info:
        runner.test()
    assert FLOAT in str(info.value) and '\n' not in str(info.value)
    assert not (tmp_path / 'igq_report.json').exists()


@pytest.mark.parametrize(
    'calib, error, text',
    [
        (dict(num_image=2), SpecError, "did you mean 'num_images'"),
        (dict(num_images=9), DataError, 'has 8, choose 1 to 8'),
        (dict(seed=-1), DataError, 'seed'),
    ],
)
def test_refuses_calib(calib, error, text, few_images, tmp_path):
    with pytest.raises(error, match=text):
        build(few_images(), tmp_path, hook(spec=FIELDS, calib=calib)).test()


def test_calibrating_on_evaluation_images(few_images, tmp_path):
    config = few_images(*few(2))
    calib = dict(dataset=config.test_dataloader.dataset.copy())
    runner = build(config, tmp_path, hook(spec=FIELDS, calib=calib))
    with pytest.raises(DataError, match='allow_evaluation'):
        runner.test()
    calib['allow_evaluation'] = True
    runner = build(config, tmp_path, hook(spec=FIELDS, calib=calib))
    runner.test()
    calibration = report_of(tmp_path)['runs'][0]['calibration']
    assert calibration['evaluation_images'] == calibration['image_ids'] != []


class StopAt(Hook):
    """What Ctrl-C does in the middle of a test."""

    def before_test_iter(self, runner, batch_idx, data_batch=None):
        if batch_idx == 3:
            raise KeyboardInterrupt


def test_resumes_a_test(few_images, calibrated, tmp_path):
    keeps = hook(spec=FIELDS, predictions=True)
    runner = build(few_images(), tmp_path, keeps)
    runner.register_hook(StopAt())
    with pytest.raises(KeyboardInterrupt):
        runner.test()
    assert not (tmp_path / 'igq_report.json').exists()
    path = tmp_path / 'predictions/igq-12-w4a4.jsonl'
    before = path.read_bytes()
    assert before.count(b'\n') == 4
    # it takes up the images that are left, then has nothing left to do
    for left in (5, 0):
        resumes = hook(spec=FIELDS, resume=True)
        runner = build(few_images(), tmp_path, resumes)
        seen = []
        runner.register_hook(Counting(seen))
        metrics, _ = defined(runner.test())
        assert metrics == calibrated.numbers and len(seen) == left
        (run,) = report_of(tmp_path)['runs']
        assert run['metrics'] == metrics
        assert path.read_bytes().startswith(before)


class Counting(Hook):
    """Counts batches."""

    def __init__(self, seen):
        self.seen = seen

    def after_test_iter(self, runner, batch_idx, **kwargs):
        self.seen.append(batch_idx)
