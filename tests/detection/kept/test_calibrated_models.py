"""Calibrated models that are found again instead of made again."""

import dataclasses
import logging

import pytest

pytest.importorskip('mmdet')

import torch

from igq_mmdet import QuantSpec
from igq_mmdet.detection.calibration.ptq import DetectorCalibration
from igq_mmdet.detection.kept.calibrated_models import CalibratedModels
from igq_mmdet.detection.kept.kept_run import CALIBRATED, KeptRun
from igq_mmdet.errors import DataError

from ..conftest import FIELDS

SPEC = QuantSpec.from_dict(FIELDS)


@pytest.fixture
def models(experiment, tmp_path):
    """Makes them for a work dir; gives how often images were looked at."""

    def make(resume, seed=0, specs=(SPEC,)):
        images = experiment.images(1, seed, False)
        calibration = DetectorCalibration(experiment.detector, images, specs)
        run = KeptRun(str(tmp_path), experiment.config, None, resume)
        return CalibratedModels(calibration, run)

    return make


def collected(models):
    return 'statistics' in vars(models.calibration)


def same(one, other):
    state, again = one.state_dict(), other.state_dict()
    return state.keys() == again.keys() and all(
        torch.equal(state[key], again[key]) for key in state
    )


def test_found_again_without_looking_at_an_image(models, calibrated):
    first = models(False)
    model, about = first.build(first.setting(SPEC))
    assert collected(first) and same(model, calibrated.model)
    second = models(True)
    setting = second.setting(SPEC)
    again, about_again = second.build(setting)
    assert not collected(second) and same(model, again)
    assert about == about_again and set(about) == {
        'calibration',
        'model_config',
    }
    assert setting.spec == SPEC and setting.allocation is None
    third = models(False)
    third.setting(SPEC)
    assert collected(third)


def test_without_a_folder_nothing_is_kept(experiment, tmp_path):
    images = experiment.images(1, 0, False)
    calibration = DetectorCalibration(experiment.detector, images, [SPEC])
    run = KeptRun(
        str(tmp_path),
        experiment.config,
        None,
        resume=True,
        predictions=False,
        calibrated=False,
    )
    models = CalibratedModels(calibration, run)
    setting = models.setting(SPEC)
    assert not collected(models)
    models.build(setting)
    assert collected(models) and not list(tmp_path.iterdir())


def test_a_damaged_file_is_made_again(models, tmp_path, caplog):
    first = models(False)
    model, _ = first.build(first.setting(SPEC))
    path = tmp_path / CALIBRATED / 'igq-12-w4a4.safetensors'
    content = bytearray(path.read_bytes())
    content[-7] ^= 1
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        second = models(True)
        again, _ = second.build(second.setting(SPEC))
    assert collected(second) and same(model, again)
    (message,) = caplog.messages
    assert str(path) in message and message.endswith('made again')


def test_other_settings_and_weights_are_refused(models, experiment):
    models(False).setting(SPEC)
    other = dataclasses.replace(SPEC, exclude=('backbone.*',))
    with pytest.raises(DataError, match='quantization setting changed'):
        models(True, specs=[other]).setting(other)
    # another seed is another file
    assert collected_after(models(True, seed=1))
    weight = experiment.detector.backbone.patch_embed.projection.weight
    with torch.no_grad():
        weight.mul_(2)
        try:
            with pytest.raises(DataError, match='float weights changed'):
                models(True).setting(SPEC)
        finally:
            weight.mul_(0.5)
    assert not collected_after(models(True))


def collected_after(models):
    models.setting(SPEC)
    return collected(models)


@pytest.mark.slow
def test_allocated_groups_are_kept_with_it(models, tmp_path):
    spec = dataclasses.replace(SPEC, include=('backbone.stages.3.*',))
    options = {'candidates': (4, 12)}

    def make(resume):
        found = models(resume, specs=[spec])
        return found, found.setting(spec, options)

    first, setting = make(False)
    second, again = make(True)
    assert collected(first) and not collected(second)
    assert setting.spec == again.spec and setting.spec.layer_groups
    assert setting.allocation == again.allocation
    assert same(first.build(setting)[0], second.build(again)[0])
    (path,) = (tmp_path / CALIBRATED).iterdir()
    assert path.name == 'igq-12-w4a4.allocated.safetensors'
