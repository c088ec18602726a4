"""AP as bars, with float as a line."""

from html import escape
from statistics import fmean, stdev

from ..ablations.tables import spread
from .cohort import METRICS, Cohort, Run
from .svg import Scale, el, shortened, text
from .tables import metric_values

ROW, TOP, BOTTOM = 46, 26, 30


def bar_chart(cohort: Cohort, metric: str, name: str) -> str:
    """One bar a setting: mean over its runs, whisker and single runs.

    Args:
        cohort (Cohort): From :func:`collect`.
        metric (str): Key of a metric.
        name (str): Unique start of ids.
    """
    label = METRICS.get(metric, metric)
    shown = [
        (index, setting, runs, metric_values(runs, metric))
        for index, (setting, runs) in enumerate(cohort.settings().items())
        if metric_values(runs, metric)
    ]
    if not shown:
        return el('p', f'No {escape(label)} in these runs.', class_='none')
    full = cohort.full.get(metric)
    tops = [max(values) for *_, values in shown]
    scale = Scale([*tops, *([] if full is None else [full])], zero=True)
    height = TOP + ROW * len(shown) + BOTTOM
    grid = ''.join(
        el(
            'g',
            el('line', x1=x, x2=x, y1=TOP, y2='100%', class_='grid'),
            text(scale.label(tick), x, '100%', dy=14, class_='tick mid'),
        )
        for tick in scale.ticks
        for x in [f'{scale.percent(tick):.3f}%']
    )
    line = ''
    if full is not None:
        x = f'{scale.percent(full):.3f}%'
        line = el('line', x1=x, x2=x, y1=TOP, y2='100%', class_='float faint')
        line += text(
            f'float {full:.2f}', x, 16, class_='tick strong end', dx=6
        )
    bars = ''.join(
        _bar(scale, setting, runs, values, label, full, index, row)
        for row, (index, setting, runs, values) in enumerate(shown)
    )
    said = f'{label} of {len(shown)} settings'
    if full is not None:
        said += f'; the dashed line is the float model, {full:.2f}'
    return el(
        'svg',
        el('title', escape(f'{label} by setting')),
        el('desc', escape(said)),
        grid,
        line,
        bars,
        class_='chart bars',
        role='group',
        id=name,
        height=height - BOTTOM,
        data_row=ROW,
        data_top=TOP,
    )


def _bar(
    scale: Scale,
    setting: str,
    runs: list[Run],
    values: list[float],
    label: str,
    full: float | None,
    index: int,
    row: int,
) -> str:
    mean = fmean(values)
    said = f'{label} {spread(values)}'
    if full is not None:
        said += f', float {full:.2f}, difference {mean - full:+.2f}'
    if len(values) > 1:
        said += f', {len(values)} runs'
    width = f'{max(scale.percent(mean), 0):.3f}%'
    marks = el('rect', x=0, y=20, width=width, height=15, rx=3, class_='bar')
    if len(values) > 1:
        low, high = (mean + sign * stdev(values) for sign in (-1, 1))
        marks += el(
            'line',
            x1=f'{max(scale.percent(low), 0):.3f}%',
            x2=f'{scale.percent(high):.3f}%',
            y1=27.5,
            y2=27.5,
            class_='whisker',
        )
        marks += ''.join(
            el(
                'circle',
                cx=f'{scale.percent(value):.3f}%',
                cy=27.5,
                r=2.5,
                class_='dot',
            )
            for value in values
        )
    if full is not None:
        x = f'{scale.percent(full):.3f}%'
        marks += el('line', x1=x, x2=x, y1=16, y2=39, class_='float goal')
    return el(
        'g',
        # pointers meet the whole row
        el('rect', x=0, y=0, width='100%', height=ROW, class_='hit'),
        text(shortened(setting), 0, 14, class_='name'),
        text(spread(values), '100%', 14, class_='value end'),
        marks,
        class_=f'mark m-{runs[0].spec.method}',
        data_s=index,
        data_tip=f'{setting}\n{said}',
        role='img',
        aria_label=f'{setting}: {said}',
        transform=f'translate(0,{TOP + ROW * row})',
    )
