"""Allocation for detectors: proposals fixed, RoIs or queries measured."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

from ...allocation.allocation import Allocation, allocate
from ...allocation.perturbation import OTHERS, check_candidates
from ...errors import SpecError
from ...field_checks import checked_fields
from ...spec import QuantSpec
from .predictions import predictor
from .ptq import DetectorCalibration

# of :func:`igq_mmdet.allocate`
OPTIONS = ('candidates', 'others', 'copies')

# candidates share a pass while their copies of the image hold fewer pixels
PIXELS = 1 << 20


def allocate_detector(
    calibration: DetectorCalibration,
    spec: QuantSpec,
    options: Mapping[str, Any] | None = None,
    folder: str | None = None,
    progress: Callable[..., Any] = iter,
) -> Allocation:
    """Chooses the number of groups of every layer of a detector.

    Args:
        calibration (DetectorCalibration): The float detector, its images
            and their statistics.
        spec (QuantSpec): ``groups`` is the target that sets the budget.
        options (Mapping, optional): ``candidates``, ``others`` and
            ``copies`` of :func:`igq_mmdet.allocate`.
        folder (str, optional): Where finished measurements are kept.
        progress (Callable): Wraps the list of measurements.

    Returns:
        Allocation: ``seconds`` counts without those of the calibration.

    Raises:
        SpecError: An unknown option, or a detector without class
            predictions per RoI or query.
    """
    chosen = allocation_options(options)
    batches = list(calibration.images)
    pixels = max(batch['inputs'][0][0].numel() for batch in batches)
    chosen.setdefault('copies', max(1, min(8, PIXELS // pixels)))
    detector = calibration.detector
    training = detector.training
    detector.eval()
    try:
        return allocate(
            detector,
            dataclasses.replace(spec, layer_groups={}),
            batches,
            predict=predictor(detector),
            folder=folder,
            statistics=calibration.statistics,
            progress=progress,
            **chosen,
        )
    finally:
        detector.train(training)


def allocation_options(options: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options of :func:`allocate_detector`, checked before any work.

    Args:
        options (Mapping, optional): ``candidates``, ``others``, ``copies``.

    Raises:
        SpecError: An unknown option or a value that cannot be meant.
    """
    chosen = checked_fields('allocate', options, OPTIONS)
    if 'candidates' in chosen:
        chosen['candidates'] = check_candidates(chosen['candidates'])
    if 'others' in chosen and chosen['others'] not in OTHERS:
        raise SpecError(
            f'allocate.others must be one of {OTHERS}, got '
            f'{chosen["others"]!r}'
        )
    copies = chosen.get('copies', 1)
    if type(copies) is not int or not 1 <= copies <= 64:
        raise SpecError(
            f'allocate.copies must be at least 1, at most 64, got {copies!r}'
        )
    return chosen
