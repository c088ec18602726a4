"""One float detector, many quantization settings, one evaluation set."""

import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from torch import nn

from .. import checkpoints
from ..allocation.allocation import Allocation
from ..detection.calibration.rank_calibration import RankCalibration
from ..detection.calibration.setting_coverage import SettingCoverage
from ..detection.data.calibration_set import CalibrationSet
from ..detection.evaluation.ap_by import report_ap_by
from ..detection.evaluation.subject import subject
from ..detection.kept.calibrated_models import CalibratedModels
from ..jobs.ranks import on_main
from ..methods import METHODS
from ..report import Report, run_name, write_report
from ..report.dashboards.runs import Dashboards
from ..report.report_differences import report_differences
from ..runtime import to_integer
from ..spec import QuantSpec
from .evaluation import Evaluation


class Experiment(Evaluation):
    """Evaluates settings of a detector, and reports them.

    Args:
        config (Config): A test config; it is changed.
        work_dir (str): For logs and the report.
        quiet (bool): No progress bars. Defaults to False.
        dashboards (Sequence[str], optional): Instead of the config's, see
            :class:`Dashboards`.

    Attributes:
        integer (bool): Evaluate on integer codes.
        sqnr (bool): Measure every layer's on the calibration images.
        calib_parallel (bool): See :class:`RankCalibration`.

    Raises:
        SpecError: See :class:`Evaluation`, or ``ap_by`` is not to be had.
        DataError: See :class:`Evaluation`.
    """

    def __init__(
        self,
        config: Config,
        work_dir: str,
        quiet: bool = False,
        dashboards: Sequence[str] | None = None,
    ) -> None:
        # takes out of the config what the Runner would open
        self.dashboards = Dashboards(config, work_dir, dashboards)
        super().__init__(config, work_dir, quiet)
        by = report_ap_by(self.runner.test_evaluator, config)
        self.report = Report(subject(config, self.evaluation, by))
        self.integer = False
        self.calib_parallel = False
        self.sqnr = True
        self._coverage = SettingCoverage(self.runner.test_loop)

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
            self.bar,
            self.sqnr,
            parallel=self.calib_parallel,
            rounding_progress=partial(
                self.bar, desc='rounding weights', unit='call'
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

    def add_differences(self, reference: str | None = None) -> None:
        """Compares the settings of the report, if predictions are kept.

        Args:
            reference (str, optional): What with, see
                :func:`reference_pairs`.
        """
        if self.kept is None or not is_main_process():
            return
        self.report.data['differences'] = report_differences(
            self.report.data,
            self.kept.matches,
            reference,
            partial(self.bar, desc='differences', unit='run'),
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
        label = f'allocation {run_name(spec)}'
        bar = partial(self.bar, desc=label, unit='layer')
        return calibration.allocate(spec, options, self.runner.work_dir, bar)

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
        run['coverage'] = self._coverage.of(qmodel)
        if allocation is not None:
            run['allocation'] = dict(allocation)
        self.write()
        self.dashboards.publish(run, self.report.data['float'])
