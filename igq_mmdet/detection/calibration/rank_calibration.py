"""Several processes calibrate one detector, and all of them have it."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

from mmengine.dist import get_dist_info, is_distributed, is_main_process
from torch import nn

from ... import checkpoints
from ...allocation.allocation import Allocation
from ...calibration import Statistics, Team, freeze, quantize
from ...calibration.collect import collect_share
from ...calibration.rounding import Kept
from ...jobs.progress import Progress
from ...jobs.ranks import on_every, on_main
from ...methods import ROUNDINGS
from ...spec import QuantSpec
from ..data.calibration_set import CalibrationSet
from .allocate import allocate_detector
from .ptq import CalibrationRecord, DetectorCalibration


class RankCalibration(DetectorCalibration):
    """Like :class:`DetectorCalibration`, for any number of processes.

    Rank 0 calibrates and the others receive what a checkpoint file would
    hold. Only rank 0 has ``statistics``. :meth:`apply` and
    :meth:`allocate` are collective.

    Args:
        *args: Of :class:`DetectorCalibration`.
        parallel (bool): Whether each rank looks at a share of the images.
            The result is the same to the last bit, but for the order of
            sums in float64 where weights are rounded by what layers see.
            Defaults to False.
        **options: Of :class:`DetectorCalibration`; a bar of rank 0 shows
            how rounding goes if they name none.
    """

    def __init__(
        self, *args: Any, parallel: bool = False, **options: Any
    ) -> None:
        options.setdefault('rounding_progress', _bar)
        super().__init__(*args, **options)
        self.parallel = parallel and is_distributed()

    def _collect(self) -> Statistics:
        if not self.parallel:
            return super()._collect()
        images = share(self.images, *get_dist_info())
        parts = on_every(lambda: self._seen_on(images, collect_share))
        for part in parts[1:]:
            parts[0].merge(part)
        on_main(lambda: parts[0].require())
        # nobody asks the others
        return parts[0] if parts else Statistics({}, {}, 0)

    def _collect_together(self) -> None:
        if self.parallel:
            self.statistics  # noqa: B018  all ranks, the first time

    def apply(
        self, spec: QuantSpec, kept: Kept | None = None
    ) -> tuple[nn.Module, CalibrationRecord]:
        """A calibrated, frozen copy of the detector, on every rank.

        Args:
            spec (QuantSpec): One of the settings announced.
            kept (Kept, optional): See the base class; used by rank 0.

        Returns:
            tuple[nn.Module, CalibrationRecord]: Model and record.
        """
        self._collect_together()
        apply: Callable[[], tuple[nn.Module, CalibrationRecord]] = partial(
            super().apply, spec, kept
        )
        if not is_distributed():
            return apply()
        if self.parallel and ROUNDINGS[spec.weights].needs_hessian:
            apply = self._round_together(spec, kept)
        made: list[nn.Module] = []

        def work() -> tuple[checkpoints.QuantCheckpoint, CalibrationRecord]:
            qmodel, record = apply()
            made.append(qmodel)
            return checkpoints.packed(qmodel), record

        checkpoint, record = on_main(work)
        if is_main_process():
            return made[0], record
        return checkpoints.restore(self.detector, checkpoint), record

    def _round_together(
        self, spec: QuantSpec, kept: Kept | None
    ) -> Callable[[], tuple[nn.Module, CalibrationRecord]]:
        """Rounds weights on shares of the images; gives rank 0 the rest."""
        fitted: list[tuple[nn.Module, CalibrationRecord]] = []

        def fit() -> dict[str, Any]:
            fitted.append(self._fitted(spec))
            return fitted[0][0].state_dict()

        start = time.perf_counter()
        state = on_main(fit)
        if not fitted:
            qmodel = quantize(self.detector, spec)
            qmodel.load_state_dict(state)
        else:
            qmodel = fitted[0][0]
        rank, ranks = get_dist_info()
        self._round(qmodel, kept, Team(on_every, on_main, rank, ranks))

        def rest() -> tuple[nn.Module, CalibrationRecord]:
            freeze(qmodel)
            record = dataclasses.replace(fitted[0][1], seconds=self.seconds)
            return qmodel, self._timed(record, start)

        return rest

    def allocate(
        self,
        spec: QuantSpec,
        options: Mapping[str, Any] | None = None,
        folder: str | None = None,
        progress: Callable[..., Any] = iter,
    ) -> Allocation:
        """Rank 0 chooses the number of groups of every layer.

        Args:
            spec (QuantSpec): See :func:`allocate_detector`, as the rest.
            options (Mapping, optional): How.
            folder (str, optional): Where measurements are kept.
            progress (Callable): Wraps the list of measurements.

        Returns:
            Allocation: On every rank.
        """
        self._collect_together()
        return on_main(
            lambda: allocate_detector(self, spec, options, folder, progress)
        )


def _bar(steps: Iterable[Any]) -> Any:
    label, others = 'rounding weights', not is_main_process()
    return Progress(steps, desc=label, unit='call', disable=others)


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
