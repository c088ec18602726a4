"""Ablation results as tables: means over seeds, and what they say."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ...inspection.columns import format_rows
from ..table import BOX, MASK

# of the paired differences over seeds; below it an order is noise
STANDARD_ERRORS = 2.0


@dataclass(frozen=True)
class Line:
    """One setting over its seeds.

    Args:
        label (str): Of the setting.
        bits (tuple[int, int]): Of weights and activations.
        box (tuple[float, ...]): Box AP in percent, by seed; empty if the
            evaluation has none.
        mask (tuple[float, ...]): Mask AP likewise.
        bops (float): Mean bit operations an image.
    """

    label: str
    bits: tuple[int, int]
    box: tuple[float, ...]
    mask: tuple[float, ...]
    bops: float


def lines(data: Mapping[str, Any], table: str) -> list[Line]:
    """The settings of one table.

    Args:
        data (Mapping): From ``Ablation.run``.
        table (str): Its name.
    """
    found = []
    for row in data['tables'][table]['rows']:
        runs = [data['runs'][name] for name in row['runs']]
        found.append(
            Line(
                row['label'],
                (row['bits'][0], row['bits'][1]),
                _metric(runs, BOX),
                _metric(runs, MASK),
                fmean(run['bops'] for run in runs),
            )
        )
    return found


def _metric(runs: Sequence[Mapping[str, Any]], key: str) -> tuple[float, ...]:
    values = [run['metrics'].get(key) for run in runs]
    return tuple(100 * x for x in values if x is not None)


def spread(values: Sequence[float]) -> str:
    """``mean ± standard deviation``, or what there is."""
    if not values:
        return '-'
    if len(values) == 1:
        return f'{values[0]:.2f}'
    return f'{fmean(values):.2f} ± {stdev(values):.2f}'


HEADER = ('setting', 'W/A', 'seeds', 'box AP', 'mask AP', 'BOPs (G)')


def cells(line: Line) -> tuple[str, ...]:
    """One line of a table as texts, in the order of ``HEADER``."""
    return (
        line.label,
        f'{line.bits[0]}/{line.bits[1]}',
        str(len(line.box or line.mask)),
        spread(line.box),
        spread(line.mask),
        f'{line.bops / 1e9:.2f}',
    )


def ablation_text(data: Mapping[str, Any]) -> str:
    """All tables, for a terminal."""
    blocks = []
    for name, table in data['tables'].items():
        rows = [HEADER, *(cells(line) for line in lines(data, name))]
        blocks.append(f'{table["title"]}\n\n{format_rows(rows)}')
    said = [
        *short_words(data),
        *allocation_words(data),
        *ordering_words(data),
    ]
    return '\n\n'.join([*blocks, '\n'.join(said)])


@dataclass(frozen=True)
class Difference:
    """One setting against another on the same images.

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


def difference(one: Sequence[float], other: Sequence[float]) -> Difference:
    """Compares two settings seed by seed.

    Args:
        one (Sequence[float]): AP by seed.
        other (Sequence[float]): AP of the other, same seeds.
    """
    off = [a - b for a, b in zip(one, other, strict=True)]
    error = stdev(off) / math.sqrt(len(off)) if len(off) > 1 else math.inf
    return Difference(fmean(off), error, sum(x > 0 for x in off), len(off))


# what the paper says: (better, worse); fixed groups leave softmax rows
# layer-wise, so that what they are compared with does as well
CLAIMS = (
    ('instance-aware, linear only', 'consecutive, fixed'),
    ('instance-aware, linear only', 'sorted, fixed'),
    ('consecutive, fixed', 'layer-wise'),
    ('sorted, fixed', 'layer-wise'),
    ('instance-aware', 'layer-wise'),
)
_VERDICT = {1: 'confirmed', 0: 'within noise', -1: 'contradicted'}


def ordering_words(data: Mapping[str, Any]) -> list[str]:
    """Whether instance-aware > fixed groups > layer-wise holds, in words.

    Args:
        data (Mapping): From ``Ablation.run``.

    Returns:
        list[str]: A line for each claim, bits and metric.
    """
    said = []
    for bits in map(tuple, data['bits']):
        compared = _compare(data, 'methods', CLAIMS, bits)
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
    pair = (('allocated', 'the same everywhere'),)
    return [
        words
        for bits in map(tuple, data['bits'])
        for _, words in _compare(data, 'allocation', pair, bits)
    ]


def short_words(data: Mapping[str, Any]) -> list[str]:
    """Whether layer-wise < 8 groups < 12 groups < bound holds, in words.

    Args:
        data (Mapping): From ``Ablation.run``.

    Returns:
        list[str]: A line for each pair, bits and metric.
    """
    order = ('layer-wise', '8 groups', '12 groups', 'upper bound')
    pairs = tuple(zip(order[1:], order[:-1], strict=True))
    return [
        words
        for bits in map(tuple, data['bits'])
        for _, words in _compare(data, 'short', pairs, bits)
    ]


def _compare(
    data: Mapping[str, Any],
    table: str,
    claims: Sequence[tuple[str, str]],
    bits: tuple[int, ...],
) -> list[tuple[int, str]]:
    """Sign and words of every claim and metric of one table."""
    if table not in data['tables']:
        return []
    said = []
    own = {x.label: x for x in lines(data, table) if x.bits == bits}
    for better, worse in claims:
        for metric in ('box', 'mask'):
            values = [getattr(own[name], metric) for name in (better, worse)]
            if not values[0]:
                continue
            off = difference(*values)
            words = (
                f'W{bits[0]}A{bits[1]}, {metric} AP: {better} above {worse}: '
                f'{_VERDICT[off.sign]} ({off.mean:+.2f} ± {off.error:.2f}, '
                f'higher in {off.higher} of {off.seeds} seeds)'
            )
            said.append((off.sign, words))
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
