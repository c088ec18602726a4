"""From a float detector to calibrated ones: the one path all tools take."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from torch import nn

from ...allocation.sqnr import layer_sqnr
from ...calibration import (
    Statistics,
    Team,
    collect,
    fit,
    freeze,
    needs_passes,
    quantize,
    round_weights,
)
from ...calibration.rounding import Kept
from ...modules.plan import make_plan
from ...spec import QuantSpec
from ..data.calibration_set import CalibrationSet
from .calibration_forward import calibration_forward


@dataclass(frozen=True)
class CalibrationRecord:
    """What a detector was calibrated on; goes into files and reports.

    Args:
        image_ids (tuple): Ids of the images, in order.
        seed (int): Seed they were drawn with.
        evaluated (tuple): Ids of those that are evaluated on as well.
        seconds (float): Time of collecting, fitting and freezing.
        sqnr (Mapping, optional): See :func:`layer_sqnr`.
        where (Mapping[str, str]): See :class:`CalibrationSet`.
    """

    image_ids: tuple[Any, ...]
    seed: int
    evaluated: tuple[Any, ...]
    seconds: float
    sqnr: Mapping[str, Mapping[str, float]] | None = None
    where: Mapping[str, str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        found: dict[str, Any] = {
            'image_ids': list(self.image_ids),
            'num_images': len(self.image_ids),
            'seed': self.seed,
            'evaluation_images': list(self.evaluated),
            'seconds': self.seconds,
        }
        if self.where:
            found['where'] = dict(self.where)
        if self.sqnr is not None:
            found['sqnr'] = {k: dict(v) for k, v in self.sqnr.items()}
        return found


class DetectorCalibration:
    """Statistics of one float detector on one set of images.

    They are collected once, when first needed, and serve every setting.

    Args:
        detector (nn.Module): A float mmdet detector; it is not changed.
        images (CalibrationSet): What to calibrate on.
        specs (Sequence[QuantSpec]): The settings that are going to be
            asked for.
        progress (Callable, optional): Wraps the iterable of batches and
            can be closed, such as ``tqdm``.
        sqnr (bool): Measure :func:`layer_sqnr` of every setting, which
            takes another pass. Defaults to False.
        rounding_progress (Callable): Wraps the iterable of steps in which
            weights are rounded, where that takes passes of its own.

    Raises:
        SpecError: A setting does not fit the detector.
        CalibrationError: When collecting: a layer without data, NaN or
            infinity.
        DataError: When collecting: an image cannot be read.
    """

    def __init__(
        self,
        detector: nn.Module,
        images: CalibrationSet,
        specs: Sequence[QuantSpec],
        progress: Any = iter,
        sqnr: bool = False,
        rounding_progress: Callable[..., Any] = iter,
    ) -> None:
        self.detector = detector
        self.images = images
        self.sqnr = sqnr
        self.specs = specs
        self.progress = progress
        self.rounding_progress = rounding_progress
        self.seconds = 0.0
        for spec in specs:
            make_plan(detector, spec)

    @cached_property
    def statistics(self) -> Statistics:
        """Collected when first asked for."""
        start = time.perf_counter()
        found = self._collect()
        self.seconds = time.perf_counter() - start
        return found

    def _collect(self) -> Statistics:
        return self._seen_on(self.images, collect)

    def _seen_on(
        self, images: CalibrationSet, how: Callable[..., Statistics]
    ) -> Statistics:
        """Runs the float detector on images, once for all settings."""
        first, *others = self.specs
        with closing(self.progress(images)) as batches:
            return how(
                quantize(self.detector, first),
                batches,
                calibration_forward,
                (quantize(self.detector, spec) for spec in others),
            )

    def apply(
        self, spec: QuantSpec, kept: Kept | None = None
    ) -> tuple[nn.Module, CalibrationRecord]:
        """A calibrated, frozen copy of the detector.

        Args:
            spec (QuantSpec): One of the settings announced.
            kept (Kept, optional): Where layers are kept while others are
                still to be rounded, if that takes passes of its own.
                Defaults to None.

        Returns:
            tuple[nn.Module, CalibrationRecord]: Model and record.
        """
        qmodel, record = self._fitted(spec)
        start = time.perf_counter()
        if needs_passes(qmodel):
            self._round(qmodel, kept)
        freeze(qmodel)
        return qmodel, self._timed(record, start)

    def _fitted(self, spec: QuantSpec) -> tuple[nn.Module, CalibrationRecord]:
        """As :meth:`apply`, but for the weights, which are float."""
        statistics = self.statistics
        start = time.perf_counter()
        qmodel = quantize(self.detector, spec)
        fit(qmodel, statistics)
        seconds = self.seconds + time.perf_counter() - start
        sqnr = None
        if self.sqnr:
            with closing(self.progress(self.images)) as batches:
                sqnr = layer_sqnr(qmodel, batches, calibration_forward)
        record = CalibrationRecord(
            self.images.image_ids,
            self.images.seed,
            self.images.evaluated,
            seconds,
            sqnr,
            self.images.where,
        )
        return qmodel, record

    def _round(
        self, qmodel: nn.Module, kept: Kept | None, team: Team | None = None
    ) -> None:
        """Rounds weights by what their layers see."""
        spec: Any = qmodel.igq_spec
        round_weights(
            qmodel,
            quantize(self.detector, spec),
            list(self.images),
            calibration_forward,
            self.rounding_progress,
            kept,
            team,
        )

    @staticmethod
    def _timed(record: CalibrationRecord, start: float) -> CalibrationRecord:
        seconds = record.seconds + time.perf_counter() - start
        return replace(record, seconds=seconds)


def checkpoint_info(
    record: CalibrationRecord, model_config: str
) -> dict[str, Any]:
    """What :func:`igq_mmdet.save` stores beside the weights.

    Args:
        record (CalibrationRecord): How the model was calibrated.
        model_config (str): Text of the float model's config.
    """
    return {'calibration': record.to_dict(), 'model_config': model_config}
