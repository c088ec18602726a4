"""Sensitivity of detectors: KL per RoI or query, SQNR, and AP."""

from collections.abc import Callable, Iterable
from typing import Any

from ..allocation.sensitivity import (
    Item,
    Sensitivity,
    fitted,
    items,
    only,
    sensitivity,
)
from ..detection.calibration.calibration_forward import calibration_forward
from ..detection.calibration.predictions import predictor
from ..detection.calibration.ptq import DetectorCalibration
from ..errors import SpecError
from ..files.results_file import ResultsFile, digest
from ..report.metrics import defined
from ..spec import QuantSpec
from .experiment import Experiment

METRICS = ('coco/bbox_mAP', 'coco/segm_mAP')
AP_OF = ('parts', 'layers')


def detector_sensitivity(
    calibration: DetectorCalibration,
    spec: QuantSpec,
    folder: str | None = None,
    progress: Callable[..., Any] = iter,
) -> list[Sensitivity]:
    """Measures every layer and kind of a detector on its own.

    Args:
        calibration (DetectorCalibration): The float detector, its images
            and their statistics.
        spec (QuantSpec): What to quantize and how.
        folder (str, optional): Where finished measurements are kept.
        progress (Callable): Wraps the list of measurements.

    Returns:
        list[Sensitivity]: One an item, in model order. There is no KL for
        layers that class predictions do not depend on (with proposals
        fixed: RPN, mask head, regression), nor in one-stage detectors.
    """
    detector = calibration.detector
    training = detector.training
    detector.eval()
    try:
        predict = predictor(detector)
    except SpecError:
        predict = None
    try:
        return sensitivity(
            detector,
            spec,
            calibration.images,
            calibration_forward,
            predict,
            folder,
            calibration.statistics,
            progress,
        )
    finally:
        detector.train(training)


def ap_alone(
    experiment: Experiment,
    calibration: DetectorCalibration,
    spec: QuantSpec,
    by: str = 'parts',
    progress: Callable[..., Any] = iter,
) -> list[dict[str, Any]]:
    """AP when only the items of a part and kind are quantized.

    Args:
        experiment (Experiment): Evaluates; finished evaluations are kept
            in its folder.
        calibration (DetectorCalibration): Of its detector.
        spec (QuantSpec): What to quantize and how.
        by (str): ``parts`` puts all layers of a part together, ``layers``
            evaluates each.
        progress (Callable): Wraps the list of evaluations.

    Returns:
        list[dict]: ``part``, ``layer`` (None for whole parts), ``kind``
        and ``metrics``; the first, all of them None, is the float detector.
    """
    if by not in AP_OF:
        raise SpecError(f'AP is by one of {AP_OF}, got {by!r}')
    qmodel = fitted(calibration.detector, spec, calibration.statistics)
    sets = _sets(items(qmodel), by)
    config = experiment.config
    key = digest(
        dict(qmodel.state_dict()),
        [
            spec.to_dict(),
            str(config.model),
            str(config.test_dataloader),
            str(config.test_evaluator),
        ],
    )
    results = ResultsFile(experiment.runner.work_dir, 'sensitivity-ap', key)
    found = []
    for (part, layer, kind), chosen in progress(list(sets.items())):
        name = ' '.join(text for text in (part, layer, kind) if text)
        if name not in results:
            with only(qmodel, chosen):
                found_here, _ = experiment.evaluate(qmodel, name or 'float')
                metrics, _ = defined(found_here)
            results.add(
                name,
                {key: metrics[key] for key in METRICS if key in metrics},
            )
        found.append(
            {
                'part': part,
                'layer': layer,
                'kind': kind,
                'metrics': results[name],
            }
        )
    return found


def _sets(
    every: Iterable[Item], by: str
) -> dict[tuple[str | None, str | None, str | None], list[Item]]:
    sets: dict[Any, list[Item]] = {(None, None, None): []}
    for item in every:
        layer = item.layer if by == 'layers' else None
        sets.setdefault((item.part, layer, item.kind), []).append(item)
    return sets
