"""Sensitivity as a table, CSV, JSON and a picture."""

import csv
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..files.atomic import replacing
from ..inspection.columns import format_rows
from .environment import environment
from .metrics import BOX, MASK

SCHEMA = 'igq_mmdet.sensitivity/1'
FIELDS = ('layer', 'part', 'kind', 'bits', 'kl', 'sqnr')

Rows = Sequence[Mapping[str, Any]]


def sorted_rows(rows: Rows) -> list[Mapping[str, Any]]:
    """The most harmful first: by KL, those without KL last, by SQNR."""

    def order(row: Mapping[str, Any]) -> tuple[float, float]:
        sqnr = float('inf') if row['sqnr'] is None else row['sqnr']
        return (1.0 if row['kl'] is None else -row['kl'], sqnr)

    return sorted(rows, key=order)


def sensitivity_table(rows: Rows, top: int | None = None) -> str:
    """One line a layer and kind, the most harmful first.

    Args:
        rows (Sequence[Mapping]): From ``Sensitivity.to_dict``.
        top (int, optional): How many. Defaults to all.
    """
    lines: list[Sequence[str]] = [
        ('layer', 'part', 'kind', 'bits', 'KL', 'SQNR dB')
    ]
    for row in sorted_rows(rows)[:top]:
        lines.append(
            (
                row['layer'],
                row['part'],
                row['kind'],
                str(row['bits']),
                '-' if row['kl'] is None else f'{row["kl"]:.6f}',
                '-' if row['sqnr'] is None else f'{row["sqnr"]:.1f}',
            )
        )
    return format_rows(lines)


def totals_table(rows: Rows) -> str:
    """Sum of KL and lowest SQNR of each part and kind.

    Args:
        rows (Sequence[Mapping]): From ``Sensitivity.to_dict``.
    """
    lines: list[Sequence[str]] = [
        ('part', 'kind', 'layers', 'KL summed', 'lowest SQNR dB')
    ]
    sets: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        sets.setdefault((row['part'], row['kind']), []).append(row)
    for (part, kind), own in sets.items():
        kl = [row['kl'] for row in own if row['kl'] is not None]
        sqnr = [row['sqnr'] for row in own if row['sqnr'] is not None]
        lines.append(
            (
                part,
                kind,
                str(len(own)),
                f'{sum(kl):.6f}' if kl else '-',
                f'{min(sqnr):.1f}' if sqnr else '-',
            )
        )
    return format_rows(lines)


def ap_table(found: Rows) -> str:
    """AP with only one thing quantized, and what that costs.

    Args:
        found (Sequence[Mapping]): The first is the float detector.
    """
    full = found[0]['metrics']
    lines: list[Sequence[str]] = [
        ('only this is quantized', 'kind', 'box AP', 'lost', 'mask AP', 'lost')
    ]
    for row in found:
        cells = [row['layer'] or row['part'] or 'nothing', row['kind'] or '']
        for metric in (BOX, MASK):
            value = row['metrics'].get(metric)
            if value is None or metric not in full:
                cells += ['-', '-']
                continue
            lost = 100 * (full[metric] - value)
            cells += [f'{100 * value:.2f}', f'{lost:.2f}']
        lines.append(cells)
    return format_rows(lines)


def write_sensitivity(
    data: Mapping[str, Any], folder: str | os.PathLike[str]
) -> list[Path]:
    """Writes ``sensitivity.csv``, ``.json`` and ``.png``.

    Args:
        data (Mapping): ``spec``, ``calibration``, ``rows`` and ``ap``.
        folder (str | PathLike): Target; it is made.

    Returns:
        list[Path]: What was written, each whole or not at all.
    """
    target = Path(folder)
    target.mkdir(parents=True, exist_ok=True)
    rows = sorted_rows(data['rows'])
    paths = [target / f'sensitivity.{end}' for end in ('csv', 'json', 'png')]
    with replacing(paths[0]) as temporary:
        with open(temporary, 'w', newline='') as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)
    with replacing(paths[1]) as temporary:
        whole = {
            'schema': SCHEMA,
            **data,
            'rows': rows,
            'environment': environment(),
        }
        temporary.write_text(json.dumps(whole, indent=2) + '\n')
    _plot(data['rows'], paths[2])
    return paths


def _plot(rows: Rows, path: Path) -> None:
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot

    layers = {name: at for at, name in enumerate(_names(rows))}
    parts = {row['layer']: row['part'] for row in rows}
    figure, axes = pyplot.subplots(
        2, 1, figsize=(12, 7), sharex=True, layout='constrained'
    )
    for color, kind in enumerate(dict.fromkeys(row['kind'] for row in rows)):
        own = [row for row in rows if row['kind'] == kind]
        for axis, field in zip(axes, ('kl', 'sqnr'), strict=True):
            shown = [row for row in own if row[field] is not None]
            axis.plot(
                [layers[row['layer']] for row in shown],
                [row[field] for row in shown],
                'o',
                markersize=4,
                color=f'C{color}',
                label=kind,
            )
    axes[0].set_yscale('log')
    axes[0].set_ylabel('KL of class predictions')
    axes[1].set_ylabel('SQNR of the tensor (dB)')
    axes[1].set_xlabel('layers in model order')
    axes[1].legend(ncols=5, fontsize='small')
    for part in dict.fromkeys(parts.values()):
        first = min(layers[name] for name in layers if parts[name] == part)
        for axis in axes:
            axis.axvline(first - 0.5, color='grey', linewidth=0.6)
        axes[0].text(
            first,
            1.01,
            part,
            fontsize='small',
            rotation=20,  # names of short parts would touch
            transform=axes[0].get_xaxis_transform(),
        )
    with replacing(path) as temporary:
        figure.savefig(temporary, format='png', dpi=120)
    pyplot.close(figure)


def _names(rows: Rows) -> list[str]:
    return list(dict.fromkeys(row['layer'] for row in rows))
