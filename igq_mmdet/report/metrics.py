"""Metrics of evaluators: their names in words, and how they are shown."""

import math
from collections.abc import Iterator, Mapping
from numbers import Real
from typing import Any

from ..methods import METHODS

BOX, MASK = 'coco/bbox_mAP', 'coco/segm_mAP'
METRICS = {BOX: 'box AP', MASK: 'mask AP', 'top1': 'top-1', 'top5': 'top-5'}

# Main figures of detectors by name without the evaluator's prefix: what
# tables call them, and what turns them into percent.
MAIN = {
    'bbox_mAP': ('box AP', 100.0),
    'segm_mAP': ('mask AP', 100.0),
    'bbox_AP': ('box AP', 100.0),  # of LVIS
    'segm_AP': ('mask AP', 100.0),
    'mAP': ('mAP', 100.0),  # of VOC and others
    'PQ': ('PQ', 1.0),
    'Smeasure': ('S', 100.0),  # of maps
    'MAE': ('MAE', 100.0),
}
ERRORS = {'MAE'}  # the lower the better
UNDEFINED = 'undefined'


def bare(metric: str) -> str:
    """A metric's name without the prefix of its evaluator.

    Args:
        metric (str): Its key.
    """
    prefix, slash, name = metric.partition('/')
    return name if slash else prefix


def points(metric: str) -> float:
    """What turns a metric into percent: AP is kept as a fraction.

    Args:
        metric (str): Its key.
    """
    if bare(metric) in MAIN:
        return MAIN[bare(metric)][1]
    return 100.0 if metric.endswith('mAP') else 1.0


def defined(metrics: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """Divides what evaluators gave into numbers and what has no value.

    COCO and LVIS give -1 where nothing is annotated, others NaN.

    Args:
        metrics (Mapping): By name, as evaluators gave them; texts and
            tables are left out.

    Returns:
        tuple[dict[str, float], list[str]]: Numbers, and names of figures
        that are undefined.
    """
    numbers: dict[str, float] = {}
    undefined = []
    for key, value in metrics.items():
        if not isinstance(value, Real) or isinstance(value, bool):
            continue
        number = float(value)
        if math.isnan(number) or number == -1:
            undefined.append(key)
        elif math.isfinite(number):
            numbers[key] = number
    return numbers, undefined


def figures(data: Mapping[str, Any]) -> list[str]:
    """Every figure of a report, in the order of the evaluators.

    Args:
        data (Mapping): A report, see :class:`Report`.
    """
    found: dict[str, None] = {}
    for entry in _entries(data):
        for key in (*entry['metrics'], *entry.get('undefined', ())):
            found[key] = None
    return list(found)


def main_figures(data: Mapping[str, Any]) -> dict[str, str]:
    """The figures that have a column in the main table, and its title.

    With one CocoMetric, or nothing that is known, box and mask AP.

    Args:
        data (Mapping): A report.

    Returns:
        dict[str, str]: Titles by figure.
    """
    main = [key for key in figures(data) if bare(key) in MAIN]
    if set(main) <= {BOX, MASK}:
        main = [BOX, MASK]
    titles = {key: MAIN[bare(key)][0] for key in main}
    if len({key.partition('/')[0] for key in main}) > 1:
        titles = {
            key: f'{key.partition("/")[0]} {title}'
            for key, title in titles.items()
        }
    return titles


def percent(entry: Mapping[str, Any], key: str) -> str:
    """A main figure of one run as a table shows it.

    Args:
        entry (Mapping): Of a report: ``float``, or one of ``runs``.
        key (str): The figure.
    """
    if key in entry['metrics']:
        return f'{points(key) * entry["metrics"][key]:.2f}'
    return UNDEFINED if key in entry.get('undefined', ()) else '-'


def kept(entry: Mapping[str, Any], full: Any, key: str) -> str:
    """The share of the float model's figure, where both have a value.

    Args:
        entry (Mapping): One of ``runs`` of a report.
        full (Mapping, optional): Its entry ``float``.
        key (str): The figure.
    """
    there = full is not None and full['metrics'].get(key)
    if not there or key not in entry['metrics']:
        return '-'
    return f'{100 * entry["metrics"][key] / full["metrics"][key]:.1f}%'


def figure_rows(data: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """All figures of all runs; none where the main table has them all.

    Args:
        data (Mapping): A report.

    Returns:
        list[tuple[str, ...]]: A heading, and a row a figure with its values
        as the evaluators gave them.
    """
    if set(main_figures(data)) == {BOX, MASK}:
        return []
    runs = data['runs']
    names = ['float'] if data['float'] is not None else []
    names += [run['name'] for run in runs]
    rows = [('figure', *names)]
    for key in figures(data):
        values = []
        for entry in _entries(data):
            value = entry['metrics'].get(key)
            missing = key in entry.get('undefined', ())
            values.append(
                f'{value:.4f}'
                if value is not None
                else (UNDEFINED if missing else '-')
            )
        rows.append((key, *values))
    return rows


def _entries(data: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if data['float'] is not None:
        yield data['float']
    yield from data['runs']


def extended(name: str, spec: Mapping[str, Any]) -> str:
    """A name, with what else is not as the method has it.

    That is ranges fitted to the bits, where they change anything, and how
    weights are rounded if not to the nearest code.

    Args:
        name (str): Of a method, perhaps with more.
        spec (Mapping): ``QuantSpec.to_dict()``.
    """
    ranges = spec.get('ranges', 'mean')
    if ranges != 'mean' and METHODS[spec['method']].fits_ranges:
        name += f'+{ranges}'
    weights = spec.get('weights', 'nearest')
    return name if weights == 'nearest' else f'{name}+{weights}'
