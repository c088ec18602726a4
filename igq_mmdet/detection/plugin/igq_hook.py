"""Evaluates a quantized copy of the detector in place of the float one."""

import os
import reprlib
import time
from collections.abc import Mapping
from inspect import signature
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import nn

from ... import checkpoints
from ...errors import CheckpointError, SpecError
from ...field_checks import checked_fields
from ...inspection.summary import summary
from ...jobs.ranks import on_main
from ...openmmlab.quantized_models import QUANTIZED
from ...registry import HOOKS
from ...report import Report, run_name, write_report
from ...report.dashboards.publish import evaluation_step, publish
from ...report.report import float_entry
from ...spec import QuantSpec
from ..calibration.agreement import check_agreement
from ..calibration.allocate import allocation_options
from ..calibration.ptq import DetectorCalibration
from ..data.calib_config import FIELDS, calibrates_in_parallel, calibration_set
from ..data.class_order import recorded_classes
from ..data.images_named import name_images
from ..evaluation.ap_by import report_ap_by
from ..evaluation.class_check import check_classes
from ..evaluation.evaluate_float import evaluate_float
from ..evaluation.evaluation_set import check_loop
from ..evaluation.subject import subject
from ..evaluation.unrounded import report_unrounded
from ..kept.calibrated_models import CalibratedModels
from ..kept.kept_evaluation import KeptEvaluation
from ..kept.kept_run import KeptRun
from ..models.float_checkpoint import misfit
from ..models.inner_detector import inner_detector, put_inner_detector


@HOOKS.register_module()
class IGQHook(Hook):
    """Quantizes before testing or validating, restores afterwards.

    With a float checkpoint it calibrates on ``calib_dataset``; with a
    quantized one (``load_from='q.safetensors'``) it rebuilds the model
    from the file, strictly. The float model itself is never changed, so
    EMA, training and test-time augmentation go on as before. COCO metrics
    lose their rounding to three decimals. What was measured goes to the
    report and to every backend of the config's visualizer.

    Args:
        spec (dict, optional): Fields of :class:`QuantSpec`. May be left
            out with a quantized checkpoint.
        calib (dict, optional): ``dataset`` (default: the config's
            ``calib_dataset``), ``num_images`` (default 1), ``seed``
            (default 0), ``allow_evaluation`` (default False), ``where``
            (fields of images in the annotation file, such as
            ``dict(kind='tissue')``; only such images are drawn),
            ``parallel`` (default False: rank 0 calibrates; True: each
            process on a share of the images, with the same result).
        save (str, optional): Where to write the quantized checkpoint,
            before evaluation starts.
        allocate (dict, optional): Allocate groups layer by layer under the
            BOPs of ``spec``; fields ``candidates``, ``others`` and
            ``copies`` of :func:`igq_mmdet.allocate`, or empty.
        predictions (bool): When testing, keep the predictions on every
            image in the work dir. Defaults to False.
        resume (bool): When testing, go on with what an interrupted test
            of the same settings kept there, and keep predictions. Defaults
            to False.
        evaluate_float (bool): Evaluate the float model first, every time,
            which takes about as long again. Defaults to False.
        float_report (str, optional): A report file whose float AP stands
            beside the quantized one instead.
        sqnr (bool): Measure the noise of every layer in a second pass over
            the calibration images. Defaults to True.

    Raises:
        SpecError: Neither a spec nor a quantized checkpoint, or both and
            they differ; two sources of float AP.
        DataError: ``float_report`` is missing or has no float AP.
        CheckpointError: Before testing: the checkpoint is for another
            model.
    """

    # after EMAHook has put its weights in place
    priority = 'LOWEST'

    def __init__(
        self,
        spec: Mapping[str, Any] | None = None,
        calib: Mapping[str, Any] | None = None,
        save: str | None = None,
        allocate: Mapping[str, Any] | None = None,
        predictions: bool = False,
        resume: bool = False,
        evaluate_float: bool = False,
        float_report: str | None = None,
        sqnr: bool = True,
        **unknown: Any,
    ) -> None:
        if unknown:
            known = signature(IGQHook).parameters
            checked_fields('IGQHook', unknown, list(known)[:-1])
        if evaluate_float and float_report is not None:
            raise SpecError(
                'float AP is either measured (evaluate_float) or taken from '
                'float_report; leave one out'
            )
        for name, value, kinds in (
            ('save', save, str | None),
            ('predictions', predictions, bool),
            ('resume', resume, bool),
            ('evaluate_float', evaluate_float, bool),
            ('float_report', float_report, str | None),
            ('sqnr', sqnr, bool),
        ):
            if not isinstance(value, kinds):
                wanted = 'True or False' if kinds is bool else 'a path'
                raise SpecError(
                    f'IGQHook: {name} must be {wanted}, got '
                    f'{reprlib.repr(value)}'
                )
        self.spec = None if spec is None else QuantSpec.from_dict(spec)
        checked_fields('calib', calib, FIELDS)
        if allocate is not None:
            allocation_options(allocate)
        self.calib = calib
        self.save = save
        self.allocate = allocate
        self.predictions = predictions or resume
        self.resume = resume
        self._kept: KeptEvaluation | None = None
        self.evaluate_float = evaluate_float
        self.sqnr = sqnr
        self._float_entry: dict[str, Any] | None = None
        if float_report is not None:
            self._float_entry = float_entry(float_report)
        self._float: nn.Module | None = None
        self._loaded: checkpoints.QuantCheckpoint | None = None
        self._misfit: str | None = None
        self._calibration: dict[str, Any] = {}
        self._allocation: dict[str, Any] | None = None
        self._subject: dict[str, Any] = {}
        self._started = 0.0
        self._checked: Any = None  # a loop whose data belong together
        self._trained: Any = ()  # a checkpoint and its classes

    def after_load_checkpoint(
        self, runner: Runner, checkpoint: dict[str, Any]
    ) -> None:
        """Takes a quantized checkpoint out of mmengine's hands."""
        model = inner_detector(runner.model)
        loaded = checkpoint.get(QUANTIZED)
        if loaded is None:
            self._trained = runner._load_from, recorded_classes(checkpoint)
            state = checkpoint.get('state_dict', checkpoint)
            prefix = 'module.'  # mmengine strips it as well
            self._misfit = misfit(
                model, {k.removeprefix(prefix): v for k, v in state.items()}
            )
            return
        if self.spec is not None and self.spec != loaded.spec:
            raise SpecError(
                f'{loaded.path} was quantized with {loaded.spec.to_json()}, '
                f'the hook asks for {self.spec.to_json()}; leave its spec out'
            )
        self._loaded = loaded
        # what mmengine copies next: the float model onto itself
        checkpoint['state_dict'] = model.state_dict()

    def before_train(self, runner: Runner) -> None:
        """Training may start from a checkpoint that fits in part."""
        self._misfit = None
        self._trained = ()

    def before_test_epoch(self, runner: Runner) -> None:
        """Puts the quantized copy in place."""
        self._enter(runner, runner.test_loop, testing=True)

    def before_val_epoch(self, runner: Runner) -> None:
        """Puts the quantized copy in place."""
        self._enter(runner, runner.val_loop)

    def after_test_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Puts the float model back and writes the report."""
        self._leave(runner, metrics)

    def after_val_epoch(
        self, runner: Runner, metrics: dict[str, float] | None = None
    ) -> None:
        """Puts the float model back and writes the report."""
        self._leave(runner, metrics)

    def _enter(self, runner: Runner, loop: Any, testing: bool = False) -> None:
        if self._misfit is not None:
            raise CheckpointError(f'{runner._load_from}: {self._misfit}')
        if self._float is not None:  # the last evaluation was broken off
            put_inner_detector(runner, self._float)
        if self._kept is not None:
            self._kept.stop()
            self._kept = None
        report_unrounded(loop.evaluator)
        if testing:  # training goes on as it would without the hook
            name_images(loop)
        by = report_ap_by(loop.evaluator, runner.cfg)
        self._subject = subject(runner.cfg, loop.dataloader.dataset, by)
        self._float = inner_detector(runner.model)
        check_classes(self._float, loop.dataloader.dataset)
        if loop is not self._checked:  # once, not after every epoch
            which = 'test_dataloader' if testing else 'val_dataloader'
            check_loop(loop, runner.cfg, which, self._trained)
            self._checked = loop
        if self.evaluate_float:
            self._float_entry = evaluate_float(runner, loop, self._float)
        evaluation = loop.dataloader.dataset
        keep = self.predictions and testing
        kept = KeptRun(
            runner.work_dir,
            runner.cfg,
            evaluation,
            self.resume,
            predictions=keep,
            calibrated=keep,
        )
        if self._loaded is not None:
            qmodel = checkpoints.restore(self._float, self._loaded)
            self._calibration = self._loaded.info.get('calibration', {})
        else:
            qmodel = self._calibrate(runner, self._float, evaluation, kept)
        check_agreement(qmodel)
        runner.logger.info(f'quantized:\n{summary(qmodel)}')
        put_inner_detector(runner, qmodel)
        self._kept = kept.evaluation(
            runner, qmodel, run_name(qmodel.igq_spec), self._calibration
        )
        if self._kept is not None:
            self._kept.start()
        self._started = time.perf_counter()

    def _calibrate(
        self,
        runner: Runner,
        detector: nn.Module,
        evaluation: Any,
        kept: KeptRun,
    ) -> nn.Module:
        if self.spec is None:
            raise SpecError(
                'IGQHook needs a spec, or a quantized checkpoint in load_from'
            )
        images = calibration_set(
            self.calib, runner.cfg.get('calib_dataset'), evaluation
        )
        calibration = DetectorCalibration(
            detector,
            images,
            [self.spec],
            sqnr=self.sqnr,
            parallel=calibrates_in_parallel(self.calib),
        )
        models = CalibratedModels(calibration, kept)
        setting = models.setting(self.spec, self.allocate)
        self._allocation = setting.allocation
        qmodel, about = models.build(setting)
        self._calibration = record = about['calibration']
        runner.logger.info(
            f'calibrated on images {record["image_ids"]} '
            f'(seed {record["seed"]}) in {record["seconds"]:.1f} s'
        )
        path = self.save
        if path is not None:
            on_main(lambda: checkpoints.save(qmodel, path, about))
            runner.logger.info(f'saved {path}')
        return qmodel

    def _leave(self, runner: Runner, metrics: dict[str, float] | None) -> None:
        assert self._float is not None
        qmodel = inner_detector(runner.model)
        put_inner_detector(runner, self._float)
        self._float = None
        metrics, seconds = metrics or {}, time.perf_counter() - self._started
        if self._kept is not None:
            metrics, seconds = self._kept.finish(metrics)
            self._kept.stop()
            self._kept = None
        if not is_main_process():
            return
        report = Report(self._subject)
        report.data['float'] = self._float_entry
        run = report.add_run(qmodel, metrics, self._calibration, seconds)
        if self._allocation is not None:
            run['allocation'] = self._allocation
        path = os.path.join(runner.work_dir, 'igq_report.json')
        write_report(report, path)
        runner.logger.info(f'wrote {path}')
        step = evaluation_step(runner)
        publish(runner.visualizer, run, self._float_entry, step)
