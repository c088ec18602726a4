"""One float detector, many quantization settings, one evaluation set."""

import contextlib
import io
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn
from tqdm import tqdm

from .. import checkpoint as checkpoints
from ..errors import DataError, SpecError
from ..report import Report, run_name, write_report
from ..spec import QuantSpec
from .calib_config import calibration_set
from .calibration_set import CalibrationSet, build_dataset, check_images_exist
from .float_checkpoint import load_float_checkpoint
from .progress_hook import ProgressHook
from .ptq import DetectorCalibration, checkpoint_info


class Experiment:
    """Evaluates a detector through mmengine's Runner.

    Args:
        config (Config): A test config; it is changed.
        work_dir (str): For logs and the report.
        quiet (bool): No progress bars and no evaluator's prints. Defaults
            to False.
    """

    def __init__(
        self, config: Config, work_dir: str, quiet: bool = False
    ) -> None:
        if config.get('test_dataloader') is None:
            raise SpecError('the config has no test_dataloader')
        dataset_config = config.test_dataloader.dataset
        evaluation = build_dataset(dataset_config, 'test_dataloader')
        check_images_exist(evaluation, 'test_dataloader')
        prepare_config(config, work_dir)
        self.quiet = quiet
        self.runner = Runner.from_cfg(config)
        self.progress = None if quiet else ProgressHook()
        if self.progress is not None:
            self.runner.register_hook(self.progress)
        self.config = config
        self.evaluation = evaluation
        self.detector: nn.Module = self.runner.model
        self.report = Report()

    @property
    def float_bytes(self) -> int:
        """Bytes of the float detector's state."""
        state = self.detector.state_dict().values()
        return sum(value.nbytes for value in state)

    def load_float(self, filename: str) -> None:
        """Loads the float weights.

        Args:
            filename (str): See :func:`load_float_checkpoint`.
        """
        load_float_checkpoint(self.detector, filename)

    def images(
        self, num_images: int, seed: int, allow_evaluation: bool
    ) -> CalibrationSet:
        """Draws the calibration images from the config's own dataset.

        Args:
            num_images (int): How many.
            seed (int): Seed of the draw.
            allow_evaluation (bool): Whether evaluation images may be used.
        """
        calib = {
            'num_images': num_images,
            'seed': seed,
            'allow_evaluation': allow_evaluation,
        }
        return calibration_set(
            calib, self.config.get('calib_dataset'), self.evaluation
        )

    def run_float(self) -> None:
        """Evaluates the float detector."""
        metrics, seconds = self.evaluate(self.detector, 'float')
        self.report.set_float(metrics, self.float_bytes, seconds)

    def run_settings(
        self,
        specs: Sequence[QuantSpec],
        images: CalibrationSet,
        save: str | None = None,
    ) -> None:
        """Calibrates once and evaluates every setting.

        Args:
            specs (Sequence[QuantSpec]): The settings.
            images (CalibrationSet): What to calibrate on.
            save (str, optional): Where to write the quantized checkpoint
                of the first setting, before it is evaluated.
        """
        calibration = DetectorCalibration(
            self.detector, images, specs, self._bar
        )
        for spec in specs:
            qmodel, record = calibration.apply(spec)
            if save is not None:
                info = checkpoint_info(record, self.config.pretty_text)
                checkpoints.save(qmodel, save, info)
                save = None
            self._run(qmodel, record.to_dict())

    def run_checkpoint(self, filename: str) -> None:
        """Evaluates a quantized checkpoint.

        Args:
            filename (str): From :func:`igq_mmdet.save`.
        """
        loaded = checkpoints.read(filename)
        qmodel = checkpoints.restore(self.detector, loaded)
        self._run(qmodel, loaded.info.get('calibration', {}))

    def evaluate(
        self, model: nn.Module, label: str
    ) -> tuple[dict[str, float], float]:
        """Runs the test loop on a model.

        Args:
            model (nn.Module): A detector, float or quantized.
            label (str): For the progress bar.

        Returns:
            tuple[dict[str, float], float]: Metrics and seconds.
        """
        if self.progress is not None:
            self.progress.label = label
        self.runner.model = model
        start = time.perf_counter()
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                metrics = self.runner.test()
        finally:
            self.runner.model = self.detector
        seconds = time.perf_counter() - start
        return {k: float(v) for k, v in metrics.items()}, seconds

    def write(self) -> str:
        """Writes the report and returns its path."""
        path = os.path.join(self.runner.work_dir, 'igq_report.json')
        write_report(self.report, path)
        return path

    def _run(self, qmodel: nn.Module, calibration: Mapping[str, Any]) -> None:
        spec: Any = qmodel.igq_spec
        metrics, seconds = self.evaluate(qmodel, run_name(spec))
        self.report.add_run(qmodel, metrics, calibration, seconds)
        self.write()

    def _bar(self, batches: Any) -> Any:
        if self.quiet:
            return batches
        return tqdm(batches, desc='calibration', unit='image')


def prepare_config(config: Config, work_dir: str) -> None:
    """Makes a test config fit for evaluating many models in one process.

    Args:
        config (Config): It is changed: unrounded COCO metrics, no hooks
            that quantize, warnings only on the terminal.
        work_dir (str): For logs.
    """
    config.work_dir = work_dir
    config.load_from = None
    config.resume = False
    config.log_level = 'WARNING'
    config.launcher = config.get('launcher', 'none')
    evaluators = config.get('test_evaluator')
    if evaluators is None:
        raise SpecError('the config has no test_evaluator')
    for evaluator in (
        evaluators if isinstance(evaluators, list) else [evaluators]
    ):
        if evaluator.get('type') in ('CocoMetric', 'mmdet.CocoMetric'):
            evaluator['type'] = 'igq_mmdet.PreciseCocoMetric'
            check_annotations(evaluator.get('ann_file'))
    config.custom_hooks = [
        hook
        for hook in config.get('custom_hooks', [])
        if hook.get('type') != 'igq_mmdet.IGQHook'
    ]


def check_annotations(filename: str | None) -> None:
    """Raises DataError if an annotation file is not there."""
    if filename and '://' not in filename and not os.path.isfile(filename):
        raise DataError(
            f'test_evaluator: {filename} is not there; mend ann_file'
        )


def use_threads(threads: int | None) -> None:
    """Sets torch's threads, if asked for."""
    if threads is not None:
        torch.set_num_threads(threads)
