"""What differs from layer to layer: groups, and noise in dB."""

from collections.abc import Mapping, Sequence
from html import escape
from itertools import groupby
from statistics import fmean

from .cohort import Cohort, Run
from .scatter import SHAPES, axes, bit_pairs
from .svg import Scale, el

Values = Mapping[str, float]  # by layer
NO_LAYERS = (
    'These reports do not list their layers: they were written by an older '
    'version. Run the evaluation again.'
)
NO_SQNR = (
    'No report holds the signal-to-noise ratio of its layers: they were '
    'written by an older version, or it was switched off. Run the '
    'evaluation again.'
)


def group_chart(cohort: Cohort, name: str) -> str:
    """Number of groups of every layer, a line for each setting.

    Args:
        cohort (Cohort): From :func:`collect`.
        name (str): Unique start of ids.
    """
    found = {
        setting: {
            layer: row['groups']
            for layer, row in runs[0].layers.items()
            if row['groups'] is not None
        }
        for setting, runs in cohort.settings().items()
    }
    if not any(run.layers for run in cohort.runs):
        return el('p', NO_LAYERS, class_='none')
    if not any(found.values()):
        return el('p', 'No setting has groups.', class_='none')
    return layer_chart(cohort, found, 'groups', name, zero=True)


def sqnr_charts(cohort: Cohort, name: str) -> dict[str, str]:
    """Signal to quantization noise by what is quantized.

    Args:
        cohort (Cohort): From :func:`collect`.
        name (str): Unique start of ids.

    Returns:
        dict[str, str]: A chart for each kind, such as ``weights``; empty
        where no report has any.
    """
    kinds = dict.fromkeys(
        kind
        for run in cohort.runs
        for row in run.sqnr.values()
        for kind in row
    )
    charts = {}
    for number, kind in enumerate(sorted(kinds)):
        values = {
            setting: _means([run for run in runs if run.sqnr], kind)
            for setting, runs in cohort.settings().items()
        }
        charts[kind] = layer_chart(
            cohort, values, 'SQNR in dB', f'{name}-{number}'
        )
    return charts


def _means(runs: Sequence[Run], kind: str) -> dict[str, float]:
    found: dict[str, list[float]] = {}
    for run in runs:
        for layer, row in run.sqnr.items():
            if kind in row:
                found.setdefault(layer, []).append(row[kind])
    return {layer: fmean(values) for layer, values in found.items()}


def layer_order(cohort: Cohort, shown: set[str]) -> list[tuple[str, str]]:
    """Layers in model order with their parts.

    Args:
        cohort (Cohort): From :func:`collect`.
        shown (set[str]): Names; those that no report lists come last.
    """
    parts: dict[str, str] = {}
    for run in cohort.runs:
        for layer, row in run.layers.items():
            parts.setdefault(layer, str(row.get('part', '')))
    known = [(layer, part) for layer, part in parts.items() if layer in shown]
    rest = sorted(shown - parts.keys())
    return known + [(layer, layer.split('.')[0]) for layer in rest]


def layer_chart(
    cohort: Cohort,
    values: Mapping[str, Values],
    unit: str,
    name: str,
    zero: bool = False,
) -> str:
    """A point for each setting and layer, layers from left to right.

    Args:
        cohort (Cohort): From :func:`collect`.
        values (Mapping[str, Mapping[str, float]]): By setting and layer.
        unit (str): What they are.
        name (str): Unique start of ids.
        zero (bool): Whether the scale starts at 0. Defaults to False.
    """
    own = {layer for row in values.values() for layer in row}
    order = layer_order(cohort, own)
    place = {
        layer: 100 * (index + 0.5) / len(order)
        for index, (layer, _) in enumerate(order)
    }
    up = Scale([x for row in values.values() for x in row.values()], zero)
    pairs = bit_pairs(cohort)
    lines = ''.join(
        _line(row, place, up, index, runs[0], pairs)
        for index, (setting, runs) in enumerate(cohort.settings().items())
        for row in [values.get(setting, {})]
        if row
    )
    columns = ''.join(
        el(
            'rect',
            x=f'{100 * index / len(order):.3f}%',
            width=f'{100 / len(order):.3f}%',
            y=0,
            height='100%',
            class_='mark column',
            data_tip=layer,
            data_unit=unit,
            data_values=';'.join(
                f'{number}:{row[layer]:.6g}'
                for number, setting in enumerate(cohort.settings())
                for row in [values.get(setting, {})]
                if layer in row
            ),
            role='img',
            aria_label=_column_words(layer, values, unit),
        )
        for index, (layer, _) in enumerate(order)
    )
    bands = [
        (part, len(list(r))) for part, r in groupby(order, lambda x: x[1])
    ]
    said = f'{unit} of {len(order)} layers, {len(values)} settings'
    chart = el(
        'svg',
        el('title', escape(f'{unit} by layer')),
        el('desc', escape(said)),
        axes(None, up, '', unit),
        lines,
        columns,
        class_='chart plot layers',
        role='group',
        id=name,
        height=260,
    )
    strip = el(
        'div',
        *(
            el('span', escape(part), style=f'flex-grow:{n}', title=part)
            for part, n in bands
        ),
        class_='bands',
        aria_hidden='true',
    )
    inner = el('div', chart, strip, style=f'min-width:{5 * len(order)}px')
    return el('div', inner, class_='scroll')


def _column_words(layer: str, values: Mapping[str, Values], unit: str) -> str:
    found = [row[layer] for row in values.values() if layer in row]
    return f'{layer}: {unit} {min(found):.4g} to {max(found):.4g}'


def _line(
    row: Values,
    place: Mapping[str, float],
    up: Scale,
    index: int,
    run: Run,
    pairs: Sequence[tuple[int, int]],
) -> str:
    points = [
        (place[layer], 100 - up.percent(row[layer]))
        for layer in place
        if layer in row
    ]
    drawn = [
        el(
            'line',
            x1=f'{x0:.3f}%',
            y1=f'{y0:.3f}%',
            x2=f'{x1:.3f}%',
            y2=f'{y1:.3f}%',
        )
        for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False)
    ]
    bits = pairs.index((run.spec.w_bits, run.spec.a_bits))
    shape = SHAPES[bits % len(SHAPES)]
    drawn += [
        el(
            'svg',
            el('path', d=shape, transform='scale(.5)'),
            x=f'{x:.3f}%',
            y=f'{y:.3f}%',
        )
        for x, y in points
    ]
    return el('g', *drawn, class_=f'line m-{run.spec.method}', data_s=index)
