"""Tables of the figures, on the terminal and in docs/performance.md."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from igq_mmdet.atomic import replacing
from igq_mmdet.report.columns import format_rows

from .variants import NAMES

BEGIN, END = '<!-- figures -->', '<!-- end of figures -->'


def tables(data: Mapping[str, Any]) -> str:
    """Every table as text.

    Args:
        data (Mapping): What ``python -m benchmarks --json`` writes.
    """
    environment = data['environment']
    lines = [
        f'{data["spec"]["method"]}:{data["spec"]["groups"]} '
        f'W{data["spec"]["w_bits"]}A{data["spec"]["a_bits"]}, '
        f'{data["size"][0]}x{data["size"][1]}, batch 1, '
        f'{data["threads"]} threads, {data["rounds"]} rounds, '
        f'{data["clock"]} clock',
        ', '.join(
            f'{key} {environment[key]}'
            for key in sorted(environment)
            if isinstance(environment[key], str)
        ),
        '',
        'whole detector, ms: median (fastest - slowest), times faster',
        _speeds(data['whole']),
        '',
        'backbone',
        _speeds(data['backbone']),
    ]
    for area in ('whole', 'backbone'):
        lines += ['', f'{area} by kind of module, ms (with hooks)']
        lines.append(_kinds(data[f'{area}_kinds']))
    lines += ['', 'memory of one image, MB', _memory(data['memory'])]
    found = data['calibration']
    lines += [
        '',
        f'calibration on one image: {found["total"]:.2f} s = '
        f'{found["float_forwards"]:.2f} float forward passes (collect '
        f'{found["collect"]:.2f}, fit {found["fit"]:.2f}, freeze '
        f'{found["freeze"]:.2f})',
        f'to_integer {found["to_integer"]:.2f} s, save '
        f'{data["file"]["save"]:.2f} s, load {data["file"]["load"]:.2f} s, '
        f'file {data["file"]["bytes"] / 1e6:.1f} MB',
        f'instances found: {data["instances"]}',
        f'layers the integer model still simulates: '
        f'{data["still_simulated"] or "none"}',
    ]
    return '\n'.join(lines)


def renew(path: Path, data: Mapping[str, Any]) -> None:
    """Puts the tables between the marks of a page.

    Args:
        path (Path): The page.
        data (Mapping): See :func:`tables`.
    """
    text = path.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    block = f'{BEGIN}\n```\n{tables(data)}\n```\n{END}'
    with replacing(path) as temporary:
        temporary.write_text(head + block + tail)


def _speeds(rows: Mapping[str, Any]) -> str:
    table = [('', 'median', 'fastest', 'slowest', 'times faster')]
    for name, row in rows.items():
        table.append(
            (
                name,
                *(f'{1e3 * row[k]:.0f}' for k in table[0][1:4]),
                f'{row["times_faster"]:.2f}',
            )
        )
    return format_rows(table)


def _kinds(kinds: Mapping[str, Any]) -> str:
    header = ['', *NAMES]
    header += [f'{name} faster' for name in NAMES[1:]]
    table = [tuple(header)]
    for kind, row in kinds.items():
        cells = [kind, *(f'{1e3 * row[n]["median"]:.0f}' for n in NAMES)]
        cells += [f'{row[n]["times_faster"]:.2f}' for n in NAMES[1:]]
        table.append(tuple(cells))
    return format_rows(table)


def _memory(memory: Mapping[str, Any]) -> str:
    table = [('', 'before', 'peak', 'peak / float', 'rise', 'rise / float')]
    base = memory['float']
    for name, row in memory.items():
        rise, own = (m['peak'] - m['before'] for m in (row, base))
        table.append(
            (
                name,
                f'{row["before"] / 1e6:.0f}',
                f'{row["peak"] / 1e6:.0f}',
                f'{row["peak"] / base["peak"]:.2f}',
                f'{rise / 1e6:.0f}',
                f'{rise / own:.2f}',
            )
        )
    return format_rows(table)
