"""The demo on eight images, built and calibrated once for all tests."""

import os
from types import SimpleNamespace

import pytest

from igq_mmdet import QuantSpec

from ..conftest import ROOT
from ..few import few
from ..tools.conftest import plain_configs  # noqa: F401

CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo.py'
FLOAT = 'demo/swin_mini_mask_rcnn.safetensors'
FIELDS = dict(w_bits=4, a_bits=4, groups=12)
FEW = few(8)


@pytest.fixture(scope='package', autouse=True)
def at_root():
    """The demo's paths are relative to the project."""
    before = os.getcwd()
    os.chdir(ROOT)
    yield
    os.chdir(before)


@pytest.fixture(scope='package')
def few_images():
    """Makes the demo's config with eight evaluation images."""
    from igq_mmdet.detection.models.config import load_config

    def make(*options, filename=CONFIG):
        config = load_config(filename, [*FEW, *options])
        config.val_dataloader = config.test_dataloader
        config.val_evaluator = config.test_evaluator
        config.log_level = 'ERROR'
        return config

    return make


@pytest.fixture(scope='package')
def experiment(few_images, tmp_path_factory):
    """What the command line runs, with float weights."""
    from igq_mmdet.studies.experiment import Experiment

    work_dir = str(tmp_path_factory.mktemp('experiment'))
    experiment = Experiment(few_images(), work_dir, quiet=True)
    experiment.load_float(FLOAT)
    return experiment


@pytest.fixture(scope='package')
def calibrated(experiment, tmp_path_factory):
    """Its calibrated model, the file made of it and its AP."""
    from igq_mmdet.checkpoints.checkpoint import save
    from igq_mmdet.detection.calibration.ptq import (
        DetectorCalibration,
        checkpoint_info,
    )

    spec = QuantSpec.from_dict(FIELDS)
    images = experiment.images(1, 0, False)
    calibration = DetectorCalibration(experiment.detector, images, [spec])
    model, record = calibration.apply(spec)
    path = str(tmp_path_factory.mktemp('saved') / 'q.safetensors')
    info = checkpoint_info(record, experiment.config.pretty_text)
    save(model, path, info)
    from igq_mmdet.report.metrics import defined

    metrics, _ = experiment.evaluate(model, '')
    assert metrics['coco/bbox_mAP'] > 0 and metrics['coco/segm_mAP'] > 0
    return SimpleNamespace(
        spec=spec,
        model=model,
        record=record,
        path=path,
        metrics=metrics,
        numbers=defined(metrics)[0],
    )
