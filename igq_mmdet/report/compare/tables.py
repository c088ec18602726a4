"""One table of many runs: terminal, Markdown and CSV."""

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from ...inspection.columns import format_rows, markdown_rows
from ..ablations.tables import spread
from ..by_field import key_of
from ..metrics import METRICS
from ..report_differences import (
    difference_rows,
    difference_text,
    difference_title,
)
from .cohort import Cohort, Run, cohort_warnings

TEXT = 0  # the column of names; the others are numbers


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Args:
        text (str): What it shows.
        value (float | str | None): What it is sorted by; None comes last.
    """

    text: str
    value: float | str | None = None


def header(cohort: Cohort) -> list[str]:
    """Names of the columns."""
    names = ['setting', 'runs']
    for key in cohort.metrics:
        names += [METRICS.get(key, key), 'to float']
    return [*names, 'MB', 'of float', 'GBOPs', 'calib. s', 'eval. s']


def rows(cohort: Cohort) -> list[list[Cell]]:
    """A row for float and for every setting, means over its runs.

    Args:
        cohort (Cohort): From :func:`collect`.
    """
    found = []
    if cohort.full:
        cells = [Cell('float', 'float'), Cell('', None)]
        for key in cohort.metrics:
            cells += [_number(_all(cohort.full, key)), Cell('', None)]
        size = [] if cohort.full_size is None else [cohort.full_size / 1e6]
        found.append([*cells, _number(size), *[Cell('', None)] * 4])
    for setting, runs in cohort.settings().items():
        found.append(_row(cohort, setting, runs))
    return found


def _row(cohort: Cohort, setting: str, runs: Sequence[Run]) -> list[Cell]:
    cells = [Cell(setting, setting), Cell(str(len(runs)), len(runs))]
    for key in cohort.metrics:
        values = metric_values(runs, key)
        cells.append(_number(values))
        gap = Cell('-', None)
        if values and key in cohort.full:
            off = fmean(values) - cohort.full[key]
            gap = Cell(f'{off:+.2f}', off)
        cells.append(gap)
    size = fmean(run.size for run in runs)
    share = Cell('-', None)
    if cohort.full_size:
        part = size / cohort.full_size
        share = Cell(f'1/{1 / part:.1f}', part)
    bops = fmean(run.bops for run in runs) / 1e9
    calib = fmean(run.calib_seconds for run in runs)
    evaluation = fmean(run.eval_seconds for run in runs)
    return [
        *cells,
        Cell(f'{size / 1e6:.2f}', size),
        share,
        Cell(f'{bops:.2f}', bops),
        Cell(f'{calib:.1f}', calib),
        Cell(f'{evaluation:.1f}', evaluation),
    ]


def field_header(cohort: Cohort, name: str) -> list[str]:
    """Names of the columns of a table by a field of the images."""
    names = ['setting']
    for metric, values in cohort.fields[name].items():
        for value in values:
            images = cohort.by.get(name, {}).get(value)
            said = value if images is None else f'{value} ({images})'
            names.append(f'{METRICS.get(metric, metric)}, {said}')
    return names


def field_rows(cohort: Cohort, name: str) -> list[list[Cell]]:
    """A row for float and for every setting, by a field of the images.

    Args:
        cohort (Cohort): From :func:`collect`.
        name (str): Key of its ``fields``.
    """
    keys = _field_keys(cohort, name)
    found = []
    if cohort.full:
        cells = [_number(_all(cohort.full, key)) for key in keys]
        found.append([Cell('float', 'float'), *cells])
    for setting, runs in cohort.settings().items():
        cells = [_number(metric_values(runs, key)) for key in keys]
        found.append([Cell(setting, setting), *cells])
    return found


def _field_keys(cohort: Cohort, only: str | None = None) -> list[str]:
    return [
        key_of(metric, name, value)
        for name, metrics in cohort.fields.items()
        if only in (None, name)
        for metric, values in metrics.items()
        for value in values
    ]


def metric_values(runs: Sequence[Run], key: str) -> list[float]:
    """One metric of the runs that have it, in percent."""
    return [run.metrics[key] for run in runs if key in run.metrics]


def _number(values: Sequence[float]) -> Cell:
    return Cell(spread(values), fmean(values) if values else None)


def _all(metrics: dict[str, float], key: str) -> list[float]:
    return [metrics[key]] if key in metrics else []


def terminal_text(cohorts: Sequence[Cohort]) -> str:
    """All tables for a terminal.

    Args:
        cohorts (Sequence[Cohort]): From :func:`collect`.
    """
    blocks = [f'warning: {line}' for line in cohort_warnings(cohorts)]
    for cohort in cohorts:
        lines = [cohort.title]
        lines += [f'warning: {line}' for line in cohort.warnings]
        body = [[cell.text for cell in row] for row in rows(cohort)]
        lines.append(format_rows([header(cohort), *body]))
        for name in cohort.fields:
            body = [
                [cell.text for cell in row] for row in field_rows(cohort, name)
            ]
            head = field_header(cohort, name)
            lines.append(f'by {name}\n' + format_rows([head, *body]))
        if cohort.differences is not None:
            lines.append(difference_text(cohort.differences.to_dict()))
        blocks.append('\n'.join(lines))
    # a name could hold codes that move the cursor
    return re.sub(
        r'[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f-\x9f]', '?', '\n\n'.join(blocks)
    )


def markdown_text(cohorts: Sequence[Cohort]) -> str:
    """All tables in Markdown.

    Args:
        cohorts (Sequence[Cohort]): From :func:`collect`.
    """
    blocks = [f'**{_plain(line)}**' for line in cohort_warnings(cohorts)]
    for cohort in cohorts:
        blocks.append(f'## {_plain(cohort.title)}')
        blocks += [f'**{_plain(line)}**' for line in cohort.warnings]
        blocks.append(_markdown(header(cohort), rows(cohort)))
        for name in cohort.fields:
            blocks.append(f'By {_plain(name)}:')
            body = field_rows(cohort, name)
            blocks.append(_markdown(field_header(cohort, name), body))
        blocks += _differences(cohort)
    return '\n\n'.join(blocks) + '\n'


def _markdown(names: Sequence[str], body: Sequence[Sequence[Cell]]) -> str:
    lines = [
        f'| {" | ".join(map(_plain, names))} |',
        '|---' + '|---:' * (len(names) - 1) + '|',
    ]
    for row in body:
        cells = ' | '.join(_plain(cell.text) for cell in row)
        lines.append(f'| {cells} |')
    return '\n'.join(lines)


def _differences(cohort: Cohort) -> list[str]:
    """Differences in Markdown, and why some are missing."""
    if cohort.differences is None:
        return []
    data, blocks = cohort.differences.to_dict(), []
    if data['settings']:
        blocks.append(_plain(difference_title(data)))
        shown = [tuple(map(_plain, row)) for row in difference_rows(data)]
        blocks.append(markdown_rows(shown))
    return blocks + [_plain(f'No interval: {note}') for note in data['notes']]


def _plain(text: str) -> str:
    """Text that stays text in Markdown and in HTML."""
    text = ' '.join(text.split())
    for char, safe in (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;')):
        text = text.replace(char, safe)
    return re.sub(r'([\\`*_\[\]|#])', r'\\\1', text)


def csv_text(cohorts: Sequence[Cohort]) -> str:
    """Every run a line, numbers unrounded; empty is not measured.

    Args:
        cohorts (Sequence[Cohort]): From :func:`collect`.
    """
    metrics = list(
        dict.fromkeys(
            key
            for cohort in cohorts
            for key in (*cohort.metrics, *_field_keys(cohort))
        )
    )
    out = io.StringIO()
    writer = csv.writer(out, lineterminator='\n')
    writer.writerow(
        ['set', 'detector', 'parts', 'images', 'report', 'setting']
        + ['w_bits', 'a_bits', 'method', 'groups', 'calibration_images']
        + [x for key in metrics for x in (key, f'float {key}')]
        + ['bytes', 'float_bytes', 'bops', 'calib_seconds', 'eval_seconds']
    )
    for number, cohort in enumerate(cohorts, 1):
        for run in cohort.runs:
            spec = run.spec
            row = [number, cohort.detector, cohort.parts, cohort.images]
            row += [run.source, run.setting, spec.w_bits, spec.a_bits]
            row += [spec.method, spec.groups, ' '.join(run.calib_images)]
            for key in metrics:
                row += [run.metrics.get(key), cohort.full.get(key)]
            row += [run.size, cohort.full_size, run.bops]
            row += [run.calib_seconds, run.eval_seconds]
            writer.writerow([_harmless(value) for value in row])
    return out.getvalue()


def _harmless(value: object) -> object:
    """Spreadsheets compute texts that start like a formula."""
    if value is None or isinstance(value, int | float):
        return value
    text = str(value)
    return f"'{text}" if text[:1] in ('=', '+', '-', '@', '\t') else text
