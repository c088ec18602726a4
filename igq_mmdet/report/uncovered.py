"""Warnings about products that no quantizer sees."""

from collections.abc import Mapping
from typing import Any


def uncovered_lines(data: Mapping[str, Any]) -> list[str]:
    """One line for every bypass that the runs of a report list.

    Args:
        data (Mapping): See ``Report.data``; ``coverage`` of a run is
            ``Coverage.to_dict``.
    """
    lines: dict[str, None] = {}
    for run in data['runs']:
        for row in run.get('coverage', {}).get('uncovered', ()):
            layer = row['layer'] or 'the model itself'
            ops = ', '.join(row['ops'])
            line = (
                f'warning: {layer}: {row["kind"]} ({ops}) runs in float, '
                f'inside the quantized part {row["part"]!r}'
            )
            lines[line] = None
    return list(lines)
