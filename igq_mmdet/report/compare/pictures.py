"""Which images a quantized detector sees most differently."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import DataError
from ..predictions import Predictions, read_predictions
from .agreement import Agreement, agreement
from .cohort import HOW, Cohort, Run

MOST_REASONS = 3


@dataclass(frozen=True)
class Pair:
    """Detections of one image by the float and by a quantized detector.

    Args:
        img_id (object): Of the image.
        path (str): Of the image, as the evaluation read it.
        classes (tuple[str, ...]): Names by label.
        full (Mapping): See :class:`Predictions`.
        quantized (Mapping): Likewise.
        agreement (Agreement): Of the two.
    """

    img_id: Any
    path: str
    classes: tuple[str, ...]
    full: Mapping[str, Any]
    quantized: Mapping[str, Any]
    agreement: Agreement


@dataclass(frozen=True)
class Ranking:
    """The images of one setting, those that disagree most first.

    Args:
        worst (list[Pair]): As many as asked for.
        images (int): How many both have predictions of.
        mean (float): Disagreement, mean over these.
    """

    worst: list[Pair]
    images: int
    mean: float


def rankings(
    cohort: Cohort, count: int
) -> tuple[dict[str, Ranking], list[str]]:
    """Looks for predictions beside the reports and ranks their images.

    Args:
        cohort (Cohort): From :func:`collect`.
        count (int): How many images of each setting.

    Returns:
        tuple[dict[str, Ranking], list[str]]: By setting, and a line for
        every reason why some setting has none.
    """
    found: dict[str, Ranking] = {}
    reasons: dict[str, None] = {}
    floats: dict[Path, Predictions] = {}
    for setting, runs in cohort.settings().items():
        for run in runs:
            try:
                if run.source not in floats:
                    floats[run.source] = read_predictions(run.source, 'float')
                found[setting] = rank(
                    floats[run.source], _predictions(run), count
                )
                break
            except DataError as error:
                reasons[str(error)] = None
    if len(found) == len(cohort.settings()):
        return found, []
    said = list(reasons)
    if len(said) > MOST_REASONS:
        rest = len(said) - MOST_REASONS
        said = [*said[:MOST_REASONS], f'and {rest} more']
    return found, [*said, HOW]


def _predictions(run: Run) -> Predictions:
    return read_predictions(run.source, run.name, run.seed, run.where)


def rank(full: Predictions, quantized: Predictions, count: int) -> Ranking:
    """Ranks images by disagreement, then by how much there was to find.

    Args:
        full (Predictions): Of the float detector.
        quantized (Predictions): Of the quantized one.
        count (int): How many to keep.

    Raises:
        DataError: No image is in both, or an entry is damaged.
    """
    scored = []
    for img_id in full:
        if img_id in quantized:
            try:
                one = agreement(full[img_id], quantized[img_id])
            except (KeyError, TypeError, ValueError) as error:
                raise DataError(
                    f'{quantized.paths[0]}: image {img_id} cannot be used '
                    f'({type(error).__name__}: {error})'
                ) from error
            scored.append((img_id, one))
    if not scored:
        raise DataError(
            f'{quantized.paths[0]}: no image in common with {full.paths[0]}'
        )
    mean = sum(one.disagreement for _, one in scored) / len(scored)
    scored.sort(key=lambda x: (-x[1].disagreement, -x[1].full, str(x[0])))
    classes = tuple(map(str, full.header.get('classes') or ()))
    worst = []
    for img_id, one in scored[:count]:
        entry = full[img_id]
        worst.append(
            Pair(
                img_id,
                str(entry.get('img_path', '')),
                classes,
                entry,
                quantized[img_id],
                one,
            )
        )
    return Ranking(worst, len(scored), mean)
