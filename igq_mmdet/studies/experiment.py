"""One float detector, many quantization settings, one evaluation set."""

import contextlib
import io
import os
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from torch import nn

from .. import checkpoints
from ..allocation.allocation import Allocation
from ..detection.calibration.agreement import AgreementHook
from ..detection.calibration.rank_calibration import RankCalibration
from ..detection.checks.belongs_together import classes_of
from ..detection.checks.metric_trial import try_metrics
from ..detection.data.calib_config import calibration_set
from ..detection.data.calibration_set import CalibrationSet
from ..detection.data.images_named import worker_errors
from ..detection.evaluation.ap_by import report_ap_by
from ..detection.evaluation.class_check import check_classes
from ..detection.evaluation.evaluation_set import evaluation_set
from ..detection.evaluation.runner import build_runner, prepare_config
from ..detection.evaluation.subject import subject
from ..detection.kept.calibrated_models import CalibratedModels
from ..detection.kept.kept_run import KeptRun
from ..detection.models.float_checkpoint import load_float_checkpoint
from ..detection.models.inner_detector import inner_detector
from ..detection.plugin.progress_hook import ProgressHook
from ..errors import DataError
from ..jobs.progress import Progress
from ..jobs.ranks import on_main
from ..methods import METHODS
from ..report import Report, run_name, write_report
from ..report.dashboards.runs import Dashboards
from ..report.differences import PerImage
from ..report.predictions import read_predictions
from ..report.report_differences import report_differences
from ..runtime import to_integer
from ..spec import QuantSpec
from .setting_coverage import SettingCoverage


class Experiment:
    """Evaluates a detector through mmengine's Runner.

    Args:
        config (Config): A test config; it is changed.
        work_dir (str): For logs and the report.
        quiet (bool): No progress bars. Defaults to False.
        dashboards (Sequence[str], optional): Instead of the config's, see
            :class:`Dashboards`.

    Attributes:
        has_weights (bool): Whether the float model can be evaluated.
        integer (bool): Evaluate on integer codes.
        sqnr (bool): Measure every layer's on the calibration images.
        calib_parallel (bool): See :class:`RankCalibration`.
        kept (KeptRun, optional): What makes it resumable.

    Raises:
        SpecError: The config cannot be built or evaluates nothing.
        DataError: Annotations or images are missing, or the detector has
            other classes.
    """

    def __init__(
        self,
        config: Config,
        work_dir: str,
        quiet: bool = False,
        dashboards: Sequence[str] | None = None,
    ) -> None:
        self.evaluation = evaluation_set(config)
        prepare_config(config, work_dir)
        self.dashboards = Dashboards(config, work_dir, dashboards)
        self.quiet = quiet or not is_main_process()
        self.runner = build_runner(config)
        self.runner.register_hook(AgreementHook())
        self.progress = None if self.quiet else ProgressHook()
        if self.progress is not None:
            self.runner.register_hook(self.progress)
        self.config = config
        self.detector = inner_detector(self.runner.model)
        check_classes(self.detector, self.evaluation)
        try_metrics(self.runner.test_loop)
        by = report_ap_by(self.runner.test_evaluator, config)
        self.report = Report(subject(config, self.evaluation, by))
        self.has_weights = getattr(self.detector, 'brings_weights', False)
        self.integer = False
        self.calib_parallel = False
        self.kept: KeptRun | None = None
        self.sqnr = True
        self.coverage = SettingCoverage(self.runner.test_loop)

    @property
    def float_bytes(self) -> int:
        """Bytes of the float detector's state."""
        state = self.detector.state_dict().values()
        return sum(value.nbytes for value in state)

    def keep(self, resume: bool = False, predictions: bool = True) -> None:
        """Makes settings resumable, see :class:`KeptRun`.

        Args:
            resume (bool): Go on with what is in the work dir.
            predictions (bool): Keep those of every image.
        """
        self.kept = KeptRun(
            self.runner.work_dir,
            self.config,
            self.evaluation,
            resume,
            predictions,
            self.quiet,
        )

    def load_float(self, filename: str) -> None:
        """Loads the float weights.

        Args:
            filename (str): See :func:`load_float_checkpoint`.
        """
        classes = classes_of(self.evaluation)
        load_float_checkpoint(
            getattr(self.detector, 'network', self.detector), filename, classes
        )
        self.has_weights = True

    def images(
        self,
        num_images: int,
        seed: int,
        allow_evaluation: bool,
        where: Mapping[str, str] | None = None,
    ) -> CalibrationSet:
        """Draws the calibration images from the config's own dataset.

        Args:
            num_images (int): How many.
            seed (int): Seed of the draw.
            allow_evaluation (bool): Whether evaluation images may be used.
            where (Mapping[str, str], optional): What fields of the images
                must be, such as ``{'kind': 'fluorescence'}``.
        """
        calib = {
            'num_images': num_images,
            'seed': seed,
            'allow_evaluation': allow_evaluation,
            'where': where,
        }
        return calibration_set(
            calib, self.config.get('calib_dataset'), self.evaluation
        )

    def run_float(self) -> None:
        """Evaluates the float detector."""
        metrics, seconds = self.evaluate(self.detector, 'float', {})
        self.report.set_float(metrics, self.float_bytes, seconds)

    def run_settings(
        self,
        specs: Sequence[QuantSpec],
        images: CalibrationSet,
        save: str | None = None,
        with_float: bool = False,
        allocation: Mapping[str, Any] | None = None,
    ) -> None:
        """Calibrates once and evaluates every setting.

        Everything that can be wrong with a setting or an image shows, and
        the checkpoint is written, before anything is evaluated.

        Args:
            specs (Sequence[QuantSpec]): The settings.
            images (CalibrationSet): What to calibrate on.
            save (str, optional): Where to write the quantized checkpoint
                of the last setting.
            with_float (bool): Evaluate the float detector first. Defaults
                to False.
            allocation (Mapping, optional): Options of
                :func:`allocate_detector`; every setting of a method with
                groups is then evaluated a second time, with allocated ones.
        """
        calibration = RankCalibration(
            self.detector,
            images,
            specs,
            self._bar,
            self.sqnr,
            parallel=self.calib_parallel,
            rounding_progress=partial(
                self._bar, desc='rounding weights', unit='call'
            ),
        )
        models = CalibratedModels(calibration, self.config)
        if self.kept is not None:
            models = self.kept.models(calibration)
        allocate = partial(self._allocate, calibration, options=allocation)
        settings = []
        for spec in specs:
            settings.append(models.setting(spec))
            if allocation is not None and METHODS[spec.method].grouped:
                settings.append(models.setting(spec, allocate, allocation))
        *others, last = settings
        last_model, about = last.build()
        if save is not None:
            on_main(lambda: checkpoints.save(last_model, save, about))
        if with_float:
            self.run_float()
        for setting in others:
            model, record = setting.build()
            self._run(model, record['calibration'], setting.allocation)
        self._run(last_model, about['calibration'], last.allocation)

    def run_checkpoint(self, filename: str, with_float: bool = False) -> None:
        """Evaluates a quantized checkpoint.

        Args:
            filename (str): From :func:`igq_mmdet.save`.
            with_float (bool): Evaluate the float detector first. Defaults
                to False.
        """
        loaded = on_main(lambda: checkpoints.read(filename))
        qmodel = checkpoints.restore(self.detector, loaded)
        if with_float:
            self.run_float()
        self._run(qmodel, loaded.info.get('calibration', {}))

    def evaluate(
        self,
        model: nn.Module,
        label: str,
        calibration: Mapping[str, Any] | None = None,
    ) -> tuple[dict[str, Any], float]:
        """Runs the test loop on a model.

        Args:
            model (nn.Module): A detector, float or quantized.
            label (str): For the progress bar.
            calibration (Mapping, optional): How it was calibrated, empty
                for the float model; with ``kept``, predictions are kept
                under label, seed and what images were restricted to.

        Returns:
            tuple[dict, float]: Metrics and seconds.

        Raises:
            DataError: An image cannot be used; names it.
        """
        if self.progress is not None:
            self.progress.label = label
        before, self.runner.model = self.runner.model, model
        kept = None
        if self.kept is not None and calibration is not None:
            kept = self.kept.evaluation(self.runner, model, label, calibration)
        start = time.perf_counter()
        try:
            with worker_errors(), contextlib.redirect_stdout(io.StringIO()):
                if kept is not None:
                    return kept.run(self.runner.test)
                metrics = self.runner.test()
        finally:
            if self.progress is not None:
                self.progress.close()
            self.runner.model = before
        return metrics, time.perf_counter() - start

    def add_differences(self, reference: str | None = None) -> None:
        """Compares the settings of the report, see
        :func:`report_differences`.

        Args:
            reference (str, optional): What with, see
                :func:`reference_pairs`.
        """
        if not is_main_process():
            return

        def load(run: Mapping[str, Any] | None) -> Mapping[str, PerImage]:
            if self.kept is None or not self.kept.predictions:
                raise DataError('predictions were not kept (--no-predictions)')
            name, of = (
                ('float', {})
                if run is None
                else (run['name'], run['calibration'])
            )
            return read_predictions(
                self.runner.work_dir,
                name,
                of.get('seed') or 0,
                of.get('where'),
            ).matches

        self.report.data['differences'] = report_differences(
            self.report.data,
            load,
            reference,
            partial(self._bar, desc='differences', unit='run'),
        )

    def write(self) -> str | None:
        """Writes the report and returns its path; None on ranks but 0."""
        if not is_main_process():
            return None
        path = os.path.join(self.runner.work_dir, 'igq_report.json')
        write_report(self.report, path)
        return path

    def _allocate(
        self,
        calibration: RankCalibration,
        spec: QuantSpec,
        options: Mapping[str, Any] | None,
    ) -> Allocation:
        def bar(jobs: Any) -> Any:
            label = f'allocation {run_name(spec)}'
            return Progress(jobs, desc=label, unit='layer', disable=self.quiet)

        folder = self.runner.work_dir
        return calibration.allocate(spec, options, folder, bar)

    def _run(
        self,
        qmodel: nn.Module,
        calibration: Mapping[str, Any],
        allocation: Mapping[str, Any] | None = None,
    ) -> None:
        spec: Any = qmodel.igq_spec
        model = to_integer(qmodel) if self.integer else qmodel
        metrics, seconds = self.evaluate(model, run_name(spec), calibration)
        if not is_main_process():
            return
        run = self.report.add_run(qmodel, metrics, calibration, seconds)
        run['runtime'] = 'integer' if self.integer else 'simulated'
        if self.integer:
            reasons = model.igq_runtime.items()  # type: ignore[operator,union-attr]
            run['not_integer'] = {k: v for k, v in reasons if v is not None}
        run['coverage'] = self.coverage.of(qmodel)
        if allocation is not None:
            run['allocation'] = dict(allocation)
        self.write()
        self.dashboards.publish(run, self.report.data['float'])

    def _bar(
        self, batches: Any, desc: str = 'calibration', unit: str = 'image'
    ) -> Any:
        if self.quiet:
            return iter(batches)
        return Progress(batches, desc=desc, unit=unit)
