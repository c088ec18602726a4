"""One HTML page of many runs that needs nothing but itself."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from statistics import fmean

from ...methods import METHODS
from ..metrics import METRICS
from .bars import bar_chart, difference_figures
from .cohort import Cohort, cohort_warnings
from .gallery import Gallery, gallery_html
from .html_table import html_table
from .layers import NO_SQNR, group_chart, sqnr_charts
from .scatter import COSTS, SHAPES, bit_pairs, scatter
from .svg import el, figure
from .tables import field_header, field_rows, header, metric_values, rows

HERE = Path(__file__).parent
ABOUT = {
    'bars': 'Bars are means over runs, whiskers their standard deviation; the '
    'upright stroke is the float model.',
    'bops': 'Bit operations of the mean calibration image; upper left is '
    'better.',
    'size': 'Bytes that a checkpoint stores; upper left is better.',
    'groups': 'Groups of quantizers, layers in the order of the model.',
    'sqnr': 'Signal to quantization noise on the calibration images; higher '
    'is better.',
}


def page(cohorts: Sequence[Cohort], galleries: Mapping[int, Gallery]) -> str:
    """The page.

    Args:
        cohorts (Sequence[Cohort]): From :func:`collect`.
        galleries (Mapping[int, Gallery]): Drawn images by the number of
            the cohort.
    """
    script = (HERE / 'page.js').read_text()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest())
    policy = (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src 'sha256-{digest.decode()}'"
    )
    head = [
        '<meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width">',
        el('title', escape(f'Quantization of {cohorts[0].detector}')),
        f'<style>{(HERE / "page.css").read_text()}</style>',
    ]
    runs = sum(len(cohort.runs) for cohort in cohorts)
    reports = len({run.source for c in cohorts for run in c.runs})
    body = [
        el(
            'header',
            el('h1', 'Float and quantized, side by side'),
            el(
                'p',
                f'{_count(runs, "run")} from {_count(reports, "report")}, '
                'by igq_mmdet. Sort the table by the names of its columns; '
                'point at a mark, or walk with Tab and the arrow keys, for '
                'its numbers.',
                class_='soft',
            ),
            *(_warning(line) for line in cohort_warnings(cohorts)),
        ),
        el(
            'main',
            *(
                _section(cohort, f's{number}', galleries.get(number))
                for number, cohort in enumerate(cohorts)
            ),
        ),
        el('footer', _sources(cohorts)),
        '<div id="tip" role="status" hidden></div>',
        '<dialog aria-label="Image"><p></p><img alt="">'
        '<form method="dialog"><button>Close</button></form></dialog>',
        f'<script>{script}</script>',
    ]
    return (
        '<!DOCTYPE html>\n<html lang="en"><head>'
        + '\n'.join(head)
        + '</head>\n<body>'
        + '\n'.join(body)
        + '</body></html>\n'
    )


def _section(cohort: Cohort, name: str, gallery: Gallery | None) -> str:
    figures = [
        figure(
            METRICS.get(key, key),
            ABOUT['bars'],
            bar_chart(cohort, key, f'{name}-bars-{number}'),
        )
        for number, key in enumerate(cohort.metrics)
    ]
    figures += difference_figures(cohort, name)
    for number, key in enumerate(cohort.metrics):
        label = METRICS.get(key, key)
        figures += [
            figure(
                f'{label} against {unit}',
                ABOUT[cost],
                scatter(cohort, key, cost, f'{name}-{cost}-{number}'),
            )
            for cost, (unit, _) in COSTS.items()
        ]
    figures.append(
        figure(
            'Groups per layer',
            ABOUT['groups'],
            group_chart(cohort, f'{name}-groups'),
            'wide',
        )
    )
    charts = sqnr_charts(cohort, f'{name}-sqnr')
    figures += [
        figure(f'SQNR per layer: {kind}', ABOUT['sqnr'], chart, 'wide')
        for kind, chart in charts.items()
    ]
    if not charts:
        missing = el('p', NO_SQNR, class_='none')
        figures.append(
            figure('SQNR per layer', ABOUT['sqnr'], missing, 'wide')
        )
    return el(
        'section',
        el('h2', escape(cohort.detector)),
        el('p', escape(cohort.scope), class_='soft'),
        *(_warning(line) for line in cohort.warnings),
        _tiles(cohort),
        _toolbar(cohort, name),
        el('div', _table(cohort), class_='card'),
        _by_field(cohort),
        el('div', *figures, class_='grid2'),
        gallery_html(gallery, name),
        id=name,
    )


def _warning(line: str) -> str:
    return el('p', escape(f'⚠ {line}'), class_='warn', role='note')


def _count(number: int, word: str) -> str:
    return f'{number} {word}{"" if number == 1 else "s"}'


def _tiles(cohort: Cohort) -> str:
    # what nothing can run wins nothing
    settings = {
        setting: runs
        for setting, runs in cohort.settings().items()
        if METHODS[runs[0].spec.method].runnable
    } or cohort.settings()
    tiles = []
    for key in cohort.metrics:
        measured = [
            (fmean(metric_values(runs, key)), setting)
            for setting, runs in settings.items()
            if metric_values(runs, key)
        ]
        if not measured:
            continue
        value, setting = max(measured)
        figures, below = f'{value:.2f}', setting
        if key in cohort.full:
            figures = f'{cohort.full[key]:.2f} → {value:.2f}'
            below = f'{value - cohort.full[key]:+.2f} with {setting}'
        tiles.append((f'Best {METRICS.get(key, key)}', figures, below))
    size, setting = min(
        (fmean(run.size for run in runs), setting)
        for setting, runs in settings.items()
    )
    figures, below = f'{size / 1e6:.2f} MB', setting
    if cohort.full_size:
        figures = f'{cohort.full_size / 1e6:.2f} → {size / 1e6:.2f} MB'
        below = f'1/{cohort.full_size / size:.1f} with {setting}'
    tiles.append(('Smallest file', figures, below))
    return el(
        'div',
        *(
            el(
                'div',
                el('span', escape(name), class_='soft'),
                el('b', escape(value)),
                el('span', escape(note), class_='soft'),
                class_='tile',
            )
            for name, value, note in tiles
        ),
        class_='tiles',
    )


def _toolbar(cohort: Cohort, name: str) -> str:
    bits = [
        _chip('bits', f'W{w}A{a}', SHAPES[index % len(SHAPES)])
        for index, (w, a) in enumerate(bit_pairs(cohort))
    ]
    methods = [
        _chip('method', method, SHAPES[0])
        for method in dict.fromkeys(run.spec.method for run in cohort.runs)
    ]
    count = _count(len(cohort.settings()), 'setting')
    search = '<input type="search" placeholder="part of a name">'
    return el(
        'div',
        el('fieldset', el('legend', 'Bits'), *bits),
        el('fieldset', el('legend', 'Method'), *methods),
        el('label', el('span', 'Setting ', class_='soft'), search),
        el('span', f'{count} shown', class_='soft count', role='status'),
        class_='bar-box',
        aria_label=f'Filters of {name}',
        role='group',
    )


def _chip(kind: str, value: str, shape: str) -> str:
    box = (
        f'<input type="checkbox" name="{kind}" value="{escape(value)}" '
        'checked autocomplete="off">'
    )
    icon = el(
        'svg',
        el('path', d=shape),
        viewBox='-8 -8 16 16',
        aria_hidden='true',
    )
    look = f'chip m-{value}' if kind == 'method' else 'chip'
    return el('label', box, icon, el('span', escape(value)), class_=look)


def _table(cohort: Cohort) -> str:
    names, body = header(cohort), rows(cohort)
    return html_table(cohort, names, body, 'Table of settings')


def _by_field(cohort: Cohort) -> str:
    """A table for each field of the images that AP is reported by."""
    return ''.join(
        el(
            'div',
            el('h3', escape(f'By {name} of the images')),
            html_table(
                cohort,
                field_header(cohort, name),
                field_rows(cohort, name),
                f'Table of settings by {name}',
            ),
            class_='card',
        )
        for name in cohort.fields
    )


def _sources(cohorts: Sequence[Cohort]) -> str:
    lines = {str(run.source): run.made_with for c in cohorts for run in c.runs}
    return el(
        'details',
        el('summary', 'Reports and what made them'),
        el(
            'ul',
            *(
                el('li', escape(f'{source}: {made}'))
                for source, made in lines.items()
            ),
        ),
    )
