"""The wrapper, from float and from quantized checkpoints."""

import pytest

pytest.importorskip('mmdet')

from mmengine.runner import Runner

from igq_mmdet.errors import CheckpointError, DataError, SpecError

from ...few import few
from ..conftest import FIELDS, FLOAT


def build(config, work_dir, load_from, **fields):
    config.work_dir, config.load_from = str(work_dir), load_from
    config.test_evaluator.type = 'igq_mmdet.PreciseCocoMetric'
    config.model = dict(
        type='igq_mmdet.IGQDetector', detector=config.model, **fields
    )
    return Runner.from_cfg(config)


@pytest.mark.parametrize('kind', ['float', 'quantized', 'quantized, spec'])
def test_same_ap(kind, few_images, calibrated, tmp_path):
    config = few_images()
    path, fields = calibrated.path, {}
    if kind == 'float':
        path, fields = FLOAT, dict(calib=dict(dataset=config.calib_dataset))
    if kind != 'quantized':
        fields['spec'] = FIELDS
    runner = build(config, tmp_path, path, **fields)
    assert runner.test() == calibrated.metrics
    assert runner.model.quantized
    assert runner.model.detector.igq_spec == calibrated.spec


def test_wants_a_spec(few_images, calibrated, tmp_path):
    runner = build(few_images(), tmp_path, FLOAT)
    with pytest.raises(SpecError, match='IGQDetector needs a spec'):
        runner.test()
    spec = FIELDS | {'groups': 8}
    runner = build(few_images(), tmp_path, calibrated.path, spec=spec)
    with pytest.raises(SpecError, match='leave its spec out'):
        runner.test()


def test_wants_calibration_images(few_images, tmp_path):
    runner = build(few_images(), tmp_path, FLOAT, spec=FIELDS)
    with pytest.raises(SpecError, match=r'calib=dict\(dataset='):
        runner.test()


@pytest.mark.parametrize('kind', ['float', 'quantized'])
def test_refuses_another_architecture(kind, few_images, calibrated, tmp_path):
    config = few_images('model.neck.out_channels=32')
    config.model.rpn_head.in_channels = 32
    path = FLOAT if kind == 'float' else calibrated.path
    runner = build(config, tmp_path, path, spec=FIELDS)
    with pytest.raises(CheckpointError, match=r'neck\.lateral_convs\.0'):
        runner.test()


def test_calibrating_on_evaluation_images(few_images, tmp_path):
    config = few_images(*few(2))
    calib = dict(dataset=config.test_dataloader.dataset.copy())
    runner = build(config, tmp_path, FLOAT, spec=FIELDS, calib=calib)
    with pytest.raises(DataError, match='allow_evaluation=True'):
        runner.test()
    config = few_images(*few(2))
    calib['allow_evaluation'] = True
    runner = build(config, tmp_path, FLOAT, spec=FIELDS, calib=calib)
    assert 'coco/bbox_mAP' in runner.test()
