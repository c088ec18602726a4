"""Every kind of hostile input by name."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

from . import (
    annotations,
    checkpoint_files,
    float_checkpoints,
    images,
    kept_files,
    settings,
)
from .trial import EQUAL, REFUSED, WRONG, Kind


class Entry(NamedTuple):
    """A kind.

    Args:
        make (Kind): Gives cases without end, by seed.
        cases (int): How many are tried unless told otherwise.
        quick (int): How many pytest tries.
        equal (str): What *worked* means.
    """

    make: Kind
    cases: int
    quick: int
    equal: str


KINDS: Mapping[str, Entry] = {
    'checkpoint': Entry(
        checkpoint_files.cases, 2000, 60, 'loaded with equal outputs'
    ),
    'float checkpoint': Entry(
        float_checkpoints.cases, 1000, 60, 'weights loaded, nothing executed'
    ),
    'COCO annotations': Entry(
        annotations.cases, 500, 25, 'read, calibrated on and judged'
    ),
    'image': Entry(
        images.cases, 120, 6, 'evaluated or calibrated on, the others as ever'
    ),
    'kept file': Entry(
        kept_files.cases, 250, 16, 'resumed with the results of a whole run'
    ),
    'setting': Entry(settings.cases, 2000, 100, 'a value that is allowed'),
}


def sentence(outcomes: Counter[str]) -> str:
    """``2000 cases, 1997 refused with one line, 3 worked, 0 wrong``."""
    return (
        f'{outcomes.total()} cases, {outcomes[REFUSED]} refused with one '
        f'line, {outcomes[EQUAL]} worked, {outcomes[WRONG]} wrong'
    )
