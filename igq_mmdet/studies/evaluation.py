"""One float detector on one evaluation set."""

import time
from collections.abc import Mapping
from contextlib import closing
from typing import Any

from mmengine.config import Config
from mmengine.dist import is_main_process
from torch import nn

from ..detection.calibration.agreement import AgreementHook
from ..detection.checks.belongs_together import classes_of
from ..detection.checks.metric_trial import try_metrics
from ..detection.data.calib_config import calibration_set
from ..detection.data.calibration_set import CalibrationSet
from ..detection.evaluation.class_check import check_classes
from ..detection.evaluation.evaluation_set import evaluation_set
from ..detection.evaluation.runner import (
    build_runner,
    prepare_config,
    testing,
)
from ..detection.kept.kept_run import KeptRun
from ..detection.models.float_checkpoint import load_float_checkpoint
from ..detection.models.inner_detector import inner_detector
from ..detection.plugin.progress_hook import ProgressHook
from ..jobs.progress import Progress


class Evaluation:
    """Evaluates models of one detector through mmengine's Runner.

    Args:
        config (Config): A test config; it is changed.
        work_dir (str): For logs.
        quiet (bool): No progress bars. Defaults to False.

    Attributes:
        has_weights (bool): Whether the float model can be evaluated.
        kept (KeptRun, optional): What makes it resumable.

    Raises:
        SpecError: The config cannot be built or evaluates nothing.
        DataError: Annotations or images are missing, or the detector has
            other classes.
    """

    def __init__(
        self, config: Config, work_dir: str, quiet: bool = False
    ) -> None:
        self.evaluation = evaluation_set(config)
        prepare_config(config, work_dir)
        self.quiet = quiet or not is_main_process()
        self.runner = build_runner(config)
        self.runner.register_hook(AgreementHook())
        self.progress = ProgressHook(self.quiet)
        self.runner.register_hook(self.progress)
        self.config = config
        self.detector = inner_detector(self.runner.model)
        check_classes(self.detector, self.evaluation)
        try_metrics(self.runner.test_loop)
        self.has_weights = getattr(self.detector, 'brings_weights', False)
        self.kept: KeptRun | None = None

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
        annotations: str = '',
    ) -> CalibrationSet:
        """Draws the calibration images from the config's own dataset.

        Args:
            num_images (int): How many.
            seed (int): Seed of the draw.
            allow_evaluation (bool): Whether evaluation images may be used.
            where (Mapping[str, str], optional): What fields of the images
                must be, such as ``{'kind': 'fluorescence'}``.
            annotations (str): Another file of the dataset, instead of its
                ``ann_file``.
        """
        dataset = self.config.get('calib_dataset')
        if annotations:
            dataset = {**dataset, 'ann_file': annotations}
        calib = {
            'num_images': num_images,
            'seed': seed,
            'allow_evaluation': allow_evaluation,
            'where': where,
        }
        return calibration_set(calib, dataset, self.evaluation)

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
        kept = None
        if self.kept is not None and calibration is not None:
            kept = self.kept.evaluation(self.runner, model, label, calibration)
        self.progress.label = label
        start = time.perf_counter()
        with closing(self.progress), testing(self.runner, model) as test:
            if kept is not None:
                return kept.run(test)
            return test(), time.perf_counter() - start

    def bar(
        self, steps: Any, desc: str = 'calibration', unit: str = 'image'
    ) -> Any:
        """Shows progress over steps, unless it is quiet.

        Args:
            steps (Iterable): Of work.
            desc (str): What is done.
            unit (str): What a step is called.
        """
        return Progress(steps, desc=desc, unit=unit, disable=self.quiet)
