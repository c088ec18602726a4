"""What ablation results say of the paper's claims, in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ...inspection.columns import format_rows
from ..differences.difference import ABOVE, BELOW, CANNOT_TELL
from ..metrics import BOX, MASK
from .tables import differences, lines, table_rows

# of the paired differences over seeds; below it an order is noise
STANDARD_ERRORS = 2.0


def ablation_text(data: Mapping[str, Any]) -> str:
    """All tables, for a terminal."""
    blocks = []
    for name, table in data['tables'].items():
        rows = format_rows(table_rows(data, name))
        blocks.append(f'{table["title"]}\n\n{rows}')
    said = [
        *short_words(data),
        *allocation_words(data),
        *ordering_words(data),
    ]
    return '\n\n'.join([*blocks, '\n'.join(said)])


@dataclass(frozen=True)
class OverSeeds:
    """One setting against another, seed by seed.

    It is what results of earlier versions allow to say.

    Args:
        mean (float): Mean of the differences over seeds.
        error (float): Standard error of that mean.
        higher (int): Seeds in which it is above 0.
        seeds (int): How many seeds.
    """

    mean: float
    error: float
    higher: int
    seeds: int

    @property
    def sign(self) -> int:
        """1 or -1 beyond noise, else 0."""
        if abs(self.mean) <= STANDARD_ERRORS * self.error:
            return 0
        return 1 if self.mean > 0 else -1


def over_seeds(one: Sequence[float], other: Sequence[float]) -> OverSeeds:
    """Compares two settings seed by seed.

    Args:
        one (Sequence[float]): AP by seed.
        other (Sequence[float]): AP of the other, same seeds.
    """
    off = [a - b for a, b in zip(one, other, strict=True)]
    error = stdev(off) / math.sqrt(len(off)) if len(off) > 1 else math.inf
    return OverSeeds(fmean(off), error, sum(x > 0 for x in off), len(off))


# what the paper says: (better, worse); fixed groups leave softmax rows
# layer-wise, so that what they are compared with does as well
CLAIMS = (
    ('instance-aware, linear only', 'consecutive, fixed'),
    ('instance-aware, linear only', 'sorted, fixed'),
    ('consecutive, fixed', 'layer-wise'),
    ('sorted, fixed', 'layer-wise'),
    ('instance-aware', 'layer-wise'),
)
ORDER = ('layer-wise', '8 groups', '12 groups', 'upper bound')
# that words are about, by table
PAIRS: dict[str, Sequence[tuple[str, str]]] = {
    'methods': CLAIMS,
    'allocation': (('allocated', 'the same everywhere'),),
    'short': tuple(zip(ORDER[1:], ORDER[:-1], strict=True)),
}
_VERDICT = {1: 'confirmed', 0: 'within noise', -1: 'contradicted'}
_OF_INTERVAL = {
    ABOVE: (1, 'confirmed'),
    BELOW: (-1, 'contradicted'),
    CANNOT_TELL: (0, CANNOT_TELL),
}


def ordering_words(data: Mapping[str, Any]) -> list[str]:
    """Whether instance-aware > fixed groups > layer-wise holds, in words.

    Args:
        data (Mapping): From ``Ablation.run``.

    Returns:
        list[str]: A line for each claim, bits and metric.
    """
    said = []
    for bits in map(tuple, data['bits']):
        compared = _compare(data, 'methods', bits)
        if compared:
            said += [words for _, words in compared]
            said.append(_together(bits, [sign for sign, _ in compared]))
    return said


def allocation_words(data: Mapping[str, Any]) -> list[str]:
    """Whether allocated groups are better than the same number everywhere.

    Args:
        data (Mapping): From ``Ablation.run``.

    Returns:
        list[str]: A line for each of bits and metrics.
    """
    return [
        words
        for bits in map(tuple, data['bits'])
        for _, words in _compare(data, 'allocation', bits)
    ]


def short_words(data: Mapping[str, Any]) -> list[str]:
    """Whether layer-wise < 8 groups < 12 groups < bound holds, in words.

    Args:
        data (Mapping): From ``Ablation.run``.

    Returns:
        list[str]: A line for each pair, bits and metric.
    """
    return [
        words
        for bits in map(tuple, data['bits'])
        for _, words in _compare(data, 'short', bits)
    ]


def _compare(
    data: Mapping[str, Any], table: str, bits: tuple[int, ...]
) -> list[tuple[int, str]]:
    """Sign and words of every claim and metric of one table."""
    if table not in data['tables']:
        return []
    said = []
    own = {x.label: x for x in lines(data, table) if x.bits == bits}
    found = differences(data, table)
    for better, worse in PAIRS[table]:
        for metric, key in (('box', BOX), ('mask', MASK)):
            values = [getattr(own[name], metric) for name in (better, worse)]
            if not values[0]:
                continue
            measured = found.get((better, worse, bits, key))
            if measured is not None:
                sign, verdict = _OF_INTERVAL[measured.word]
                figures = measured.figures(100)
            else:
                off = over_seeds(*values)
                sign, verdict = off.sign, _VERDICT[off.sign]
                figures = (
                    f'{off.mean:+.2f} ± {off.error:.2f}, '
                    f'higher in {off.higher} of {off.seeds} seeds'
                )
            words = (
                f'W{bits[0]}A{bits[1]}, {metric} AP: {better} above {worse}: '
                f'{verdict} ({figures})'
            )
            said.append((sign, words))
    return said


def _together(bits: tuple[int, ...], verdicts: Sequence[int]) -> str:
    if all(sign == 1 for sign in verdicts):
        word = 'confirmed in every comparison'
    elif -1 in verdicts:
        word = (
            f'contradicted in {verdicts.count(-1)} of {len(verdicts)} '
            f'comparisons, confirmed in {verdicts.count(1)}'
        )
    else:
        word = (
            f'confirmed in {verdicts.count(1)} of {len(verdicts)} '
            'comparisons, the others are within noise'
        )
    return (
        f'W{bits[0]}A{bits[1]}: instance-aware above fixed groups above '
        f'layer-wise: {word}'
    )
