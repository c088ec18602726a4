"""How long settings are going to take."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from .ablation_settings import Setting

# Seconds an evaluated image on two cores, before anything was measured;
# measuring allocation takes longer than evaluating.
PER_IMAGE, ALLOCATION = 0.3, 150.0


def seconds_left(
    left: Sequence[Setting],
    done: Iterable[Mapping[str, Any]],
    images: int,
) -> float:
    """An estimate, from finished settings where there are some.

    Args:
        left (Sequence[Setting]): Those to evaluate.
        done (Iterable[Mapping]): Results of finished ones.
        images (int): That each is evaluated on.
    """
    known: dict[bool, list[float]] = {False: [], True: []}
    for result in done:
        if 'seconds' in result:
            known[result['allocation'] is not None].append(result['seconds'])
    plain = fmean(known[False]) if known[False] else PER_IMAGE * images
    allocated = plain + ALLOCATION
    if known[True]:
        allocated = fmean(known[True])
    return sum(allocated if job.allocated else plain for job in left)


def hours(seconds: float) -> str:
    """Such as ``2 h 05 min``.

    Args:
        seconds (float): From 0.
    """
    whole, minutes = divmod(round(seconds / 60), 60)
    return f'{whole} h {minutes:02d} min' if whole else f'{minutes} min'
