"""What a run leaves in its work dir so that it can be resumed."""

import logging
import shutil
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.dist import barrier, is_main_process
from mmengine.runner import Runner
from torch import nn

from ...errors import DataError
from ...report.predictions import FOLDER, read_predictions
from ..calibration.ptq import DetectorCalibration
from .calibrated_models import CalibratedModels
from .evaluation_identity import (
    dataset_digest,
    evaluation_identity,
    evaluator_digest,
)
from .kept_evaluation import KeptEvaluation
from .prediction_store import PredictionStore

CALIBRATED = 'calibrated'


class KeptRun:
    """Predictions and calibrated models of a work dir.

    Args:
        work_dir (str): Of the run.
        config (Config): Its test config.
        dataset (Dataset): What is evaluated on.
        resume (bool): Use what an earlier run has left; otherwise it is
            removed. Defaults to False.
        predictions (bool): Keep predictions. Defaults to True.
        quiet (bool): Do not say what is used again. Defaults to False.
    """

    def __init__(
        self,
        work_dir: str,
        config: Config,
        dataset: Any,
        resume: bool = False,
        predictions: bool = True,
        quiet: bool = False,
    ) -> None:
        self.work_dir = work_dir
        self.config = config
        self.dataset = dataset
        self.resume = resume
        self.predictions = predictions
        self.quiet = quiet
        self._begun = resume
        self._warned = False

    def begin(self) -> None:
        """Makes room, once: without ``resume`` nothing old may stay."""
        if self._begun:
            return
        self._begun = True
        if is_main_process():
            folders = [
                Path(self.work_dir) / name for name in (CALIBRATED, FOLDER)
            ]
            old = [str(folder) for folder in folders if folder.is_dir()]
            for folder in old:
                shutil.rmtree(folder)
            if old and not self.quiet:
                self._say(f'replaced what an earlier run kept in {old[-1]}')
        barrier()

    def models(self, calibration: DetectorCalibration) -> CalibratedModels:
        """Calibrated models of the work dir.

        Args:
            calibration (DetectorCalibration): Makes those that are missing.
        """
        self.begin()
        folder = Path(self.work_dir) / CALIBRATED
        return CalibratedModels(calibration, self.config, folder, self.resume)

    def evaluation(
        self,
        runner: Runner,
        model: nn.Module,
        run_name: str,
        calibration: Mapping[str, Any],
    ) -> KeptEvaluation | None:
        """Opens the store of a model's predictions.

        Args:
            runner (Runner): Its test loop is going to run.
            model (nn.Module): What it evaluates.
            run_name (str): ``float``, or of a setting.
            calibration (Mapping): Of the model: ``seed`` and ``where`` of
                its images; empty for the float model.

        Returns:
            KeptEvaluation, optional: None where nothing can be kept.

        Raises:
            DataError: What is kept is of another model, config or data.
        """
        if not self.predictions:
            return None
        reason = self._unfit(runner.test_loop)
        if reason is not None:
            if not self._warned and is_main_process():
                self._say(f'predictions are not kept: {reason}')
            self._warned = True
            return None
        self.begin()
        ids, dataset = self._listed
        identity = evaluation_identity(model, self.config, dataset)
        classes = (getattr(self.dataset, 'metainfo', None) or {}).get(
            'classes'
        )
        info = {
            'images': len(ids),
            'classes': None if classes is None else list(classes),
        }
        store = PredictionStore(
            self.work_dir,
            run_name,
            calibration.get('seed', 0),
            identity,
            info,
            calibration.get('where'),
        )
        if store.finished and not self.quiet and is_main_process():
            self._say(
                f'{run_name}: {len(store.finished)} of {len(ids)} images '
                'are finished'
            )
        judge = evaluator_digest(self.config)
        return KeptEvaluation(runner.test_loop, store, ids, judge)

    def matches(self, run: Mapping[str, Any] | None) -> dict[str, Any]:
        """What is known of every image of an evaluation that is finished.

        Args:
            run (Mapping, optional): Of the report; None for the float
                model.

        Returns:
            dict[str, PerImage]: By metric.

        Raises:
            DataError: It was not kept, or is damaged.
        """
        if not self.predictions:
            raise DataError('predictions were not kept (--no-predictions)')
        name = 'float' if run is None else run['name']
        of = {} if run is None else run['calibration']
        seed, where = of.get('seed') or 0, of.get('where')
        return read_predictions(self.work_dir, name, seed, where).matches

    @cached_property
    def _listed(self) -> tuple[tuple[Any, ...], str]:
        return dataset_digest(self.dataset)

    def _unfit(self, loop: Any) -> str | None:
        if getattr(loop, 'evaluator', None) is None:
            return f'{type(loop).__name__} has no evaluator'
        if getattr(loop.dataloader, 'batch_sampler', None) is None:
            return 'the test dataloader makes no batches'
        ids = self._listed[0]
        if not all(isinstance(one, int | str) for one in ids):
            return f'image ids are {type(ids[0]).__name__}s'
        if len(set(ids)) < len(ids):
            return 'images of the test dataset share ids'
        return None

    def _say(self, text: str) -> None:
        logging.getLogger('igq_mmdet').warning(text)
