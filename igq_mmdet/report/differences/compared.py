"""All settings of a table against their references."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...errors import DataError
from .difference import CONFIDENCE, Difference, difference
from .pairs import reference_pairs
from .resampling import RESAMPLES, SEED, PerImage, Resampled, resampled

MOST_REASONS = 3
# Gives what is known of every image, by metric.
Load = Callable[[], Mapping[str, PerImage]]


@dataclass(frozen=True)
class Compared:
    """Differences of settings.

    Args:
        against (dict[str, str]): Reference by setting.
        found (dict[str, dict[str, Difference]]): By setting and metric, in
            the unit of the metric.
        images (int, optional): How many were drawn from.
        notes (list[str]): Why some have none.
    """

    against: dict[str, str]
    found: dict[str, dict[str, Difference]]
    images: int | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def metrics(self) -> list[str]:
        """Of which there are differences."""
        return list(
            dict.fromkeys(k for row in self.found.values() for k in row)
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, for a report."""
        return {
            'resamples': RESAMPLES,
            'seed': SEED,
            'confidence': CONFIDENCE,
            'images': self.images,
            'notes': list(self.notes),
            'settings': [
                {
                    'setting': setting,
                    'against': self.against[setting],
                    'metrics': {k: row[k].to_dict() for k in row},
                }
                for setting, row in self.found.items()
            ],
        }


def compare_settings(
    runs: Mapping[str, Mapping[Any, Load]],
    reference: str | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Compared:
    """Compares every setting with its reference, on the same draws.

    Args:
        runs (Mapping[str, Mapping[int | None, Load]]): By setting and seed of
            calibration images, which is None for ``float``; a load
            raises DataError where nothing was kept.
        reference (str, optional): See :func:`reference_pairs`.
        progress (Callable): Wraps the list of runs.

    Raises:
        DataError: There is no such reference.
    """
    against = reference_pairs(runs, reference)
    needed = {*against, *against.values()}
    jobs = [
        (setting, seed, load)
        for setting, seeds in runs.items()
        if setting in needed
        for seed, load in seeds.items()
    ]
    figures: dict[str, dict[str, dict[Any, Resampled]]] = {}
    reasons: dict[str, None] = {}
    images = None
    for setting, seed, load in progress(jobs):
        try:
            samples = load()
        except DataError as error:
            reasons[str(error)] = None
            continue
        for metric, sample in samples.items():
            images = sample.images
            own = figures.setdefault(setting, {}).setdefault(metric, {})
            own[seed] = resampled(sample)
    found: dict[str, dict[str, Difference]] = {}
    for setting, other in against.items():
        one, two = figures.get(setting, {}), figures.get(other, {})
        for metric in [key for key in one if key in two]:
            try:
                off = difference(one[metric], two[metric])
                found.setdefault(setting, {})[metric] = off
            except DataError as error:
                reasons[f'{setting} and {other}: {error}'] = None
    notes = list(reasons)
    if len(notes) > MOST_REASONS:
        rest = len(notes) - MOST_REASONS
        notes = [*notes[:MOST_REASONS], f'and {rest} more']
    return Compared(against, found, images, notes)
