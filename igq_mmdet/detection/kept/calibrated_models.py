"""Calibrated models, kept as files so that no resumed run repeats them."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from torch import nn

from ... import checkpoints
from ...allocation.allocation import Allocation
from ...errors import CheckpointError
from ...files.results_file import digest as state_digest
from ...files.tensor_files import TensorFiles
from ...jobs.ranks import on_main
from ...report import run_name
from ...report.predictions import slug
from ...spec import QuantSpec
from ..calibration.ptq import DetectorCalibration, checkpoint_info
from ..data.images_named import pipeline_text
from .evaluation_identity import (
    check_same,
    content_digest,
    text_digest,
    version_list,
)

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
        build (Callable): Gives the calibrated model and what
            :func:`checkpoint_info` says of it.
    """

    spec: QuantSpec
    allocation: dict[str, Any] | None
    build: Callable[[], tuple[nn.Module, dict[str, Any]]]


class CalibratedModels:
    """Calibrates settings; with a folder, each is a file before it is used.

    Rank 0 reads and writes the files; :meth:`setting` and what it gives to
    build are collective.

    Args:
        calibration (DetectorCalibration): Of the float detector.
        config (Config): The detector's.
        folder (Path, optional): Where files are kept; None keeps none.
        resume (bool): Use the files there are. Defaults to False.
    """

    def __init__(
        self,
        calibration: DetectorCalibration,
        config: Config,
        folder: Path | None = None,
        resume: bool = False,
    ) -> None:
        self.calibration = calibration
        self.config = config
        self.folder = folder
        self.resume = resume
        self._common: dict[str, str] = {}

    def setting(
        self,
        spec: QuantSpec,
        allocate: Callable[[QuantSpec], Allocation] | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Setting:
        """Calibrates one setting, or finds it calibrated.

        Args:
            spec (QuantSpec): One of those announced to the calibration.
            allocate (Callable, optional): Chooses its groups first.
            options (Mapping, optional): What that depends on.

        Raises:
            DataError: The file there is was made of something else.
        """
        if self.folder is None:
            found = None if allocate is None else allocate(spec)
            chosen = spec if found is None else found.spec
            return Setting(
                chosen,
                None if found is None else found.to_dict(),
                lambda: self._apply(chosen),
            )
        images = self.calibration.images
        name = slug(run_name(spec), images.seed, images.where)
        suffix = '' if allocate is None else '.allocated'
        path = self.folder / f'{name}{suffix}.safetensors'
        made_of = self._made_of(spec, options)
        kept = None
        if self.resume:
            kept = on_main(lambda: self._kept(path, made_of))
        if kept is None:
            found = None if allocate is None else allocate(spec)
            chosen = spec if found is None else found.spec
            of = text_digest([made_of, chosen.to_dict()])[:16]
            layers = TensorFiles(path.with_suffix(f'.layers-{of}'))
            qmodel, about = self._apply(chosen, layers)
            info = {
                **about,
                'allocation': None if found is None else found.to_dict(),
                'made_of': made_of,
            }
            kept = on_main(lambda: _keep(qmodel, path, info))
            on_main(layers.clear)

        def build() -> tuple[nn.Module, dict[str, Any]]:
            loaded = on_main(lambda: checkpoints.read(path))
            qmodel = checkpoints.restore(self.calibration.detector, loaded)
            return qmodel, {key: loaded.info[key] for key in ABOUT}

        return Setting(kept.spec, kept.info['allocation'], build)

    def _apply(
        self, spec: QuantSpec, layers: TensorFiles | None = None
    ) -> tuple[nn.Module, dict[str, Any]]:
        if layers is not None and not self.resume:
            on_main(layers.clear)
        qmodel, record = self.calibration.apply(spec, layers)
        return qmodel, checkpoint_info(record, self.config.pretty_text)

    def _kept(
        self, path: Path, made_of: Mapping[str, str]
    ) -> checkpoints.QuantCheckpoint | None:
        if not path.is_file():
            return None
        try:
            loaded = checkpoints.read(path)
        except CheckpointError as error:
            logging.getLogger('igq_mmdet').warning(f'{error}; made again')
            return None
        check_same(path, NAMES, loaded.info.get('made_of', {}), made_of)
        return loaded

    def _made_of(
        self, spec: QuantSpec, options: Mapping[str, Any] | None
    ) -> dict[str, str]:
        if not self._common:
            calibration, config = self.calibration, self.config
            images = calibration.images
            detector = calibration.detector
            self._common = {
                'weights': state_digest(detector.state_dict(), []),
                'config': text_digest(
                    [config.get('model'), pipeline_text(images.dataset)]
                ),
                'images': text_digest(
                    [
                        images.image_ids,
                        images.seed,
                        images.evaluated,
                        [content_digest(path) for path in images.paths],
                    ]
                ),
                'versions': text_digest(version_list(detector)),
            }
        setting = text_digest([spec.to_dict(), options])
        return {**self._common, 'setting': setting}


def _keep(
    model: nn.Module, path: Path, info: Mapping[str, Any]
) -> checkpoints.QuantCheckpoint:
    path.parent.mkdir(parents=True, exist_ok=True)
    checkpoints.save(model, path, info)
    return checkpoints.read(path)
