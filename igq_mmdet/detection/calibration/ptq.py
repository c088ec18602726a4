"""From a float detector to calibrated ones: the one path all tools take."""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from mmengine.dist import get_dist_info, is_distributed
from torch import nn

from ... import checkpoints
from ...allocation.sqnr import layer_sqnr
from ...calibration import Statistics, fit, freeze, quantize
from ...calibration.collect import collect_share
from ...jobs.progress import Progress
from ...jobs.ranks import on_every, on_main
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
    With several processes rank 0 calibrates, and :meth:`apply` is
    collective.

    Args:
        detector (nn.Module): A float mmdet detector; it is not changed.
        images (CalibrationSet): What to calibrate on.
        specs (Sequence[QuantSpec]): The settings that are going to be
            asked for.
        quiet (bool): No progress bar over the images. Defaults to True.
        sqnr (bool): Measure :func:`layer_sqnr` of every setting, which
            takes another pass. Defaults to False.
        parallel (bool): Whether each rank looks at a share of the images.
            The result is the same to the last bit. Defaults to False.

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
        quiet: bool = True,
        sqnr: bool = False,
        parallel: bool = False,
    ) -> None:
        self.detector = detector
        self.images = images
        self.specs = specs
        self.quiet = quiet
        self.sqnr = sqnr
        self.parallel = parallel and is_distributed()
        self.seconds = 0.0
        for spec in specs:
            make_plan(detector, spec)

    @cached_property
    def statistics(self) -> Statistics:
        """Collected when first asked for; those of all images on rank 0."""
        start = time.perf_counter()
        if self.parallel:
            found = self._seen_together()
        else:
            found = self._seen_on(self.images)
            found.require()
        self.seconds = time.perf_counter() - start
        return found

    def apply(self, spec: QuantSpec) -> tuple[nn.Module, CalibrationRecord]:
        """A calibrated, frozen copy of the detector, on every rank.

        Args:
            spec (QuantSpec): One of the settings announced.

        Returns:
            tuple[nn.Module, CalibrationRecord]: Model and record.
        """
        self.meet()
        if not is_distributed():
            return self.calibrated(spec)

        def work() -> tuple[checkpoints.QuantCheckpoint, CalibrationRecord]:
            qmodel, record = self.calibrated(spec)
            return checkpoints.packed(qmodel), record

        checkpoint, record = on_main(work)
        return checkpoints.restore(self.detector, checkpoint), record

    def calibrated(
        self, spec: QuantSpec
    ) -> tuple[nn.Module, CalibrationRecord]:
        """The same on this rank alone, the first one.

        Args:
            spec (QuantSpec): One of the settings announced.
        """
        statistics = self.statistics
        start = time.perf_counter()
        qmodel = quantize(self.detector, spec)
        fit(qmodel, statistics)
        seconds = self.seconds + time.perf_counter() - start
        sqnr = None
        if self.sqnr:
            with closing(self._bar(self.images)) as batches:
                sqnr = layer_sqnr(qmodel, batches, calibration_forward)
        start = time.perf_counter()
        freeze(qmodel)
        seconds += time.perf_counter() - start
        record = CalibrationRecord(
            self.images.image_ids,
            self.images.seed,
            self.images.evaluated,
            seconds,
            sqnr,
            self.images.where,
        )
        return qmodel, record

    def meet(self) -> None:
        """Collects where every rank has a share; before work of rank 0."""
        if self.parallel:
            self.statistics  # noqa: B018

    def _seen_together(self) -> Statistics:
        images = share(self.images, *get_dist_info())
        parts = on_every(lambda: self._seen_on(images))
        for part in parts[1:]:
            parts[0].merge(part)
        on_main(lambda: parts[0].require())
        # nobody asks the others
        return parts[0] if parts else Statistics({}, {}, 0)

    def _seen_on(self, images: CalibrationSet) -> Statistics:
        """Runs the float detector on images, once for all settings."""
        first, *others = self.specs
        with closing(self._bar(images)) as batches:
            return collect_share(
                quantize(self.detector, first),
                batches,
                calibration_forward,
                (quantize(self.detector, spec) for spec in others),
            )

    def _bar(self, images: CalibrationSet) -> Progress:
        return Progress(
            images, desc='calibration', unit='image', disable=self.quiet
        )


def share(images: CalibrationSet, rank: int, ranks: int) -> CalibrationSet:
    """The images of one rank: shares follow each other in order.

    Args:
        images (CalibrationSet): All of them.
        rank (int): Whose share.
        ranks (int): How many there are.

    Returns:
        CalibrationSet: Perhaps empty.
    """
    first, last = (len(images) * part // ranks for part in (rank, rank + 1))
    return dataclasses.replace(
        images,
        indices=images.indices[first:last],
        image_ids=images.image_ids[first:last],
    )


def checkpoint_info(
    record: CalibrationRecord, model_config: str
) -> dict[str, Any]:
    """What :func:`igq_mmdet.save` stores beside the weights.

    Args:
        record (CalibrationRecord): How the model was calibrated.
        model_config (str): Text of the float model's config.
    """
    return {'calibration': record.to_dict(), 'model_config': model_config}
