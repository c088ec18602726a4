"""AP by a field of the images, such as their kind, as a table."""

import re
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any

from ..inspection.columns import format_rows

# of a metric, see ``PreciseCocoMetric.by``: all images', field and value
KEY = re.compile(r'(?P<all>.*?mAP)_by_(?P<field>[^/]+)/(?P<value>.+)')


def fields_of(metrics: Mapping[str, Any]) -> dict[str, dict[str, list[str]]]:
    """By what AP was reported.

    Args:
        metrics (Mapping[str, float]): Of a run, or of several together.

    Returns:
        dict: By field and name of the metric, the values there are, such
        as ``{'kind': {'coco/bbox_mAP': ['fluorescence']}}``.
    """
    found: dict[str, dict[str, list[str]]] = {}
    for key in metrics:
        match = KEY.fullmatch(key)
        if match is not None:
            values = found.setdefault(match['field'], {})
            values.setdefault(match['all'], []).append(match['value'])
    return found


def key_of(metric: str, field: str, value: str) -> str:
    """Name of a metric for the images of one value."""
    return f'{metric}_by_{field}/{value}'


def where_text(where: Mapping[str, str] | None) -> str:
    """What calibration images were restricted to, in words; empty if not."""
    return ', '.join(f'{key} {value}' for key, value in (where or {}).items())


def setting_of(run: Mapping[str, Any]) -> str:
    """Names a setting: its runs differ in the seed alone.

    Args:
        run (Mapping): Of a report.
    """
    where = where_text(run['calibration'].get('where'))
    return f'{run["name"]}, {where}' if where else str(run['name'])


def field_tables(data: Mapping[str, Any]) -> list[str]:
    """A table for each field that AP is reported by.

    Args:
        data (Mapping): A report, see :class:`Report`.

    Returns:
        list[str]: A line a setting and kind of calibration images, AP in
        percent, means and standard deviations over its runs.
    """
    full = data['float']
    every: dict[str, Any] = {}
    rows: dict[tuple[str, str], list[Mapping[str, float]]] = {}
    if full is not None:
        rows['float', ''] = [full['metrics']]
    for run in data['runs']:
        on = where_text(run['calibration'].get('where')) or 'any'
        rows.setdefault((run['name'], on), []).append(run['metrics'])
    for runs in rows.values():
        for metrics in runs:
            every |= dict.fromkeys(metrics)
    counts = (data.get('detector') or {}).get('by') or {}
    return [
        _table(rows, field, metrics, counts.get(field) or {})
        for field, metrics in fields_of(every).items()
    ]


def _table(
    rows: Mapping[tuple[str, str], Sequence[Mapping[str, float]]],
    field: str,
    metrics: Mapping[str, Sequence[str]],
    counts: Mapping[str, int],
) -> str:
    found = dict.fromkeys(v for values in metrics.values() for v in values)
    # most images first, as the report lists them
    values = sorted(found, key=lambda v: (-counts.get(v, 0), v))
    with_images = any(on not in ('', 'any') for _, on in rows)
    heads = [f'{v} ({counts[v]})' if v in counts else v for v in values]
    names = ' / '.join(_short(metric) for metric in metrics)
    head = ['setting', *['calibrated on'] * with_images, 'all', *heads]
    lines = []
    for (name, on), runs in rows.items():
        cells = [' / '.join(_ap(runs, metric) for metric in metrics)]
        cells += [
            ' / '.join(_ap(runs, key_of(m, field, value)) for m in metrics)
            for value in values
        ]
        lines.append([name, *[on] * with_images, *cells])
    return f'AP by {field}, {names}\n' + format_rows([head, *lines])


def _short(metric: str) -> str:
    names = {'bbox_mAP': 'box', 'segm_mAP': 'mask'}
    name = metric.rpartition('/')[2]
    return names.get(name, name)


def _ap(runs: Sequence[Mapping[str, float]], key: str) -> str:
    values = [100 * metrics[key] for metrics in runs if key in metrics]
    if not values:
        return '-'
    spread = f' +- {stdev(values):.2f}' if len(values) > 1 else ''
    return f'{fmean(values):.2f}{spread}'
