"""Ablation results as tables: means over seeds."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

from ..differences import Difference
from ..metrics import BOX, MASK, METRICS


@dataclass(frozen=True)
class Line:
    """One setting over its seeds.

    Args:
        label (str): Of the setting.
        bits (tuple[int, int]): Of weights and activations.
        box (tuple[float, ...]): Box AP in percent, by seed; empty if the
            evaluation has none.
        mask (tuple[float, ...]): Mask AP likewise.
        bops (float): Mean bit operations an image; NaN if nothing ran.
        runs (int): How many ran.
        planned (int): How many there will be.
    """

    label: str
    bits: tuple[int, int]
    box: tuple[float, ...]
    mask: tuple[float, ...]
    bops: float
    runs: int = 1
    planned: int = 1


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
                fmean(run['bops'] for run in runs) if runs else math.nan,
                len(runs),
                row.get('planned', len(runs)),
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


NOT_RUN = 'not run'
HEADER = ('setting', 'W/A', 'seeds', 'box AP', 'mask AP', 'BOPs (G)')


def cells(line: Line) -> tuple[str, ...]:
    """One line of a table as texts, in the order of ``HEADER``."""
    of = f' of {line.planned}' if line.runs < line.planned else ''
    named = line.label, f'{line.bits[0]}/{line.bits[1]}', f'{line.runs}{of}'
    if not line.runs:
        return (*named, NOT_RUN, NOT_RUN, NOT_RUN)
    return (
        *named,
        spread(line.box),
        spread(line.mask),
        f'{line.bops / 1e9:.2f}',
    )


# of, against, W/A and metric
Pair = tuple[str, str, tuple[int, ...], str]


def differences(data: Mapping[str, Any], table: str) -> dict[Pair, Difference]:
    """Differences of AP, as fractions, with their intervals.

    Args:
        data (Mapping): From ``Ablation.run``.
        table (str): Its name.

    Returns:
        dict[tuple, Difference]: Empty for results of earlier versions.
    """
    return {
        (
            entry['of'],
            entry['against'],
            tuple(entry['bits']),
            entry['metric'],
        ): Difference.from_dict(entry)
        for entry in data['tables'][table].get('differences', ())
    }


def table_rows(data: Mapping[str, Any], table: str) -> list[tuple[str, ...]]:
    """A table as texts, names of columns first.

    Where intervals were measured, each line says how far it is above the
    first one of the same bits.

    Args:
        data (Mapping): From ``Ablation.run``.
        table (str): Its name.
    """
    shown, found = lines(data, table), differences(data, table)
    metrics = [m for m in (BOX, MASK) if any(m == key[3] for key in found)]
    header = [f'{METRICS[metric]} to first' for metric in metrics]
    rows = [(*HEADER, *header)]
    for line in shown:
        first = next(one.label for one in shown if one.bits == line.bits)
        more = []
        for metric in metrics:
            off = found.get((line.label, first, line.bits, metric))
            more.append('' if off is None else off.text(100))
        rows.append((*cells(line), *more))
    return rows
