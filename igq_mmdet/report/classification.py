"""The table of a classifier's runs."""

from collections.abc import Mapping
from typing import Any

from ..inspection.columns import format_rows
from ..methods import METHODS
from .metrics import extended

HEADER = (
    'setting',
    'W/A',
    'groups',
    'top-1',
    'top-5',
    'kept',
    'MB',
    'seconds',
)


def classification_table(data: Mapping[str, Any]) -> str:
    """Float and quantized accuracy side by side.

    Args:
        data (Mapping): A report, see ``Report.data``.

    Returns:
        str: One line a setting; accuracy in percent, ``kept`` is the share
        of float top-1, ``seconds`` calibration and evaluation.
    """
    rows: list[tuple[str, ...]] = [HEADER]
    full = data['float']
    if full is not None:
        rows.append(
            (
                'float',
                '32/32',
                '-',
                *_accuracy(full['metrics']),
                '',
                f'{full["bytes"] / 1e6:.2f}',
                f'{full["eval_seconds"]:.1f}',
            )
        )
    for run in data['runs']:
        spec, kept = run['spec'], ''
        if full is not None and full['metrics']['top1']:
            share = run['metrics']['top1'] / full['metrics']['top1']
            kept = f'{100 * share:.1f}%'
        grouped = METHODS[spec['method']].grouped
        seconds = run['calibration'].get('seconds', 0) + run['eval_seconds']
        rows.append(
            (
                extended(spec['method'], spec),
                f'{spec["w_bits"]}/{spec["a_bits"]}',
                str(spec['groups']) if grouped else '-',
                *_accuracy(run['metrics']),
                kept,
                f'{run["bytes"] / 1e6:.2f}',
                f'{seconds:.1f}',
            )
        )
    return format_rows(rows)


def _accuracy(metrics: Mapping[str, float]) -> tuple[str, str]:
    return f'{metrics["top1"]:.2f}', f'{metrics["top5"]:.2f}'
