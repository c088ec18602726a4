"""Calibrated models, kept as files so that no resumed run repeats them."""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from ... import checkpoints
from ...errors import CheckpointError
from ...files.results_file import digest as state_digest
from ...jobs.progress import Progress
from ...jobs.ranks import on_main
from ...report import run_name
from ...report.predictions import slug
from ...spec import QuantSpec
from ..calibration.allocate import allocate_detector
from ..calibration.ptq import DetectorCalibration, checkpoint_info
from .evaluation_identity import check_same, text_digest, version_list
from .kept_run import CALIBRATED, KeptRun

# How a message names what has changed.
NAMES = {
    'weights': 'float weights',
    'config': "the config's model or calib_dataset",
    'setting': 'quantization setting',
    'images': 'calibration images',
    'versions': 'versions or device',
}

# What :func:`checkpoint_info` stores.
ABOUT = ('calibration', 'model_config')


@dataclass(frozen=True)
class Setting:
    """A setting whose model can be built.

    Args:
        spec (QuantSpec): With allocated groups, if asked for.
        allocation (dict, optional): ``Allocation.to_dict()``.
        path (Path, optional): Where its model is kept.
    """

    spec: QuantSpec
    allocation: dict[str, Any] | None = None
    path: Path | None = None


class CalibratedModels:
    """Calibrates settings; those that are kept are files before any use.

    Rank 0 reads and writes the files; :meth:`setting` and :meth:`build` are
    collective.

    Args:
        calibration (DetectorCalibration): Of the float detector.
        run (KeptRun): Whose work dir measurements of allocations go to,
            and models, if it keeps them.
    """

    def __init__(self, calibration: DetectorCalibration, run: KeptRun) -> None:
        self.calibration = calibration
        self.run = run
        self._common: dict[str, str] = {}

    def setting(
        self, spec: QuantSpec, allocate: Mapping[str, Any] | None = None
    ) -> Setting:
        """Chooses what to build; where models are kept, also builds it.

        Args:
            spec (QuantSpec): One of those announced to the calibration.
            allocate (Mapping, optional): Options of
                :func:`allocate_detector`, which then chooses the groups.

        Raises:
            DataError: The file there is was made of something else.
        """
        run = self.run
        if run.calibrated:
            run.begin()
        if run.calibrated and run.resume:
            kept = on_main(lambda: self._read(spec, allocate))
            if kept is not None:
                return kept
        self.calibration.meet()
        return on_main(lambda: self._make(spec, allocate))

    def build(self, setting: Setting) -> tuple[nn.Module, dict[str, Any]]:
        """Calibrates the model of a setting, or reads it.

        Args:
            setting (Setting): From :meth:`setting`.

        Returns:
            tuple[nn.Module, dict]: Calibrated model, and what
            :func:`checkpoint_info` says of it.
        """
        path = setting.path
        if path is None:
            qmodel, record = self.calibration.apply(setting.spec)
            return qmodel, checkpoint_info(record, self.run.config.pretty_text)
        loaded = on_main(lambda: checkpoints.read(path))
        qmodel = checkpoints.restore(self.calibration.detector, loaded)
        return qmodel, {key: loaded.info[key] for key in ABOUT}

    def _read(
        self, spec: QuantSpec, allocate: Mapping[str, Any] | None
    ) -> Setting | None:
        path = self._path(spec, allocate is not None)
        if not path.is_file():
            return None
        try:
            loaded = checkpoints.read(path)
        except CheckpointError as error:
            logging.getLogger('igq_mmdet').warning(f'{error}; made again')
            return None
        made_of = self._made_of(spec, allocate)
        check_same(path, NAMES, loaded.info.get('made_of', {}), made_of)
        return Setting(loaded.spec, loaded.info['allocation'], path)

    def _make(
        self, spec: QuantSpec, allocate: Mapping[str, Any] | None
    ) -> Setting:
        allocation = None
        chosen = spec
        if allocate is not None:
            bar = partial(
                Progress,
                desc=f'allocation {run_name(spec)}',
                unit='layer',
                disable=self.calibration.quiet,
            )
            found = allocate_detector(
                self.calibration, spec, allocate, self.run.work_dir, bar
            )
            chosen, allocation = found.spec, found.to_dict()
        if not self.run.calibrated:
            return Setting(chosen, allocation)
        qmodel, record = self.calibration.calibrated(chosen)
        info = {
            **checkpoint_info(record, self.run.config.pretty_text),
            'allocation': allocation,
            'made_of': self._made_of(spec, allocate),
        }
        path = self._path(spec, allocate is not None)
        path.parent.mkdir(parents=True, exist_ok=True)
        checkpoints.save(qmodel, path, info)
        # as a resumed run finds it
        allocation = checkpoints.read(path).info['allocation']
        return Setting(chosen, allocation, path)

    def _path(self, spec: QuantSpec, allocated: bool) -> Path:
        images = self.calibration.images
        name = slug(run_name(spec), images.seed, images.where)
        suffix = '.allocated' * allocated
        folder = Path(self.run.work_dir) / CALIBRATED
        return folder / f'{name}{suffix}.safetensors'

    def _made_of(
        self, spec: QuantSpec, options: Mapping[str, Any] | None
    ) -> dict[str, str]:
        if not self._common:
            calibration, config = self.calibration, self.run.config
            images = calibration.images
            detector = calibration.detector
            self._common = {
                'weights': state_digest(detector.state_dict(), []),
                'config': text_digest(
                    [config.get('model'), _pipeline(images.dataset)]
                ),
                'images': text_digest(
                    [
                        images.image_ids,
                        images.seed,
                        images.evaluated,
                        [_content(path) for path in images.paths],
                    ]
                ),
                'versions': text_digest(version_list(detector)),
            }
        setting = text_digest([spec.to_dict(), options])
        return {**self._common, 'setting': setting}


def _pipeline(dataset: Any) -> Any:
    """How a dataset reads images, as far as its transforms tell."""
    return repr(getattr(dataset, 'pipeline', None))


def _content(path: str) -> str:
    if not os.path.isfile(path):
        return path
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
