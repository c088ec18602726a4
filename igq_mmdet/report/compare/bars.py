"""AP as bars, and differences of AP as intervals."""

from html import escape
from statistics import fmean, stdev

from ..ablations.tables import spread
from ..differences import Difference
from ..metrics import METRICS, points
from .cohort import Cohort, Run
from .svg import Scale, el, figure, shortened, text
from .tables import metric_values

ROW, TOP, BOTTOM = 46, 26, 30
ABOUT = (
    'To the reference, with the 95 % interval over {images} images: both are '
    'judged on the same images drawn anew. An interval that holds 0 cannot '
    'tell which is better.'
)


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
    grid = _grid(scale)
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


def difference_figures(cohort: Cohort, name: str) -> list[str]:
    """Differences to the reference, and why some are missing.

    Args:
        cohort (Cohort): Without :func:`add_differences` there are none.
        name (str): Unique start of ids.
    """
    found = cohort.differences
    if found is None:
        return []
    figures = [
        figure(
            f'Difference of {METRICS.get(key, key)}',
            ABOUT.format(images=found.images),
            interval_chart(cohort, key, f'{name}-differences-{number}'),
        )
        for number, key in enumerate(found.metrics)
    ]
    said = [
        el('p', escape(f'No interval: {note}'), class_='soft')
        for note in found.notes
    ]
    return figures + [el('div', *said, class_='card wide')] * bool(said)


def interval_chart(cohort: Cohort, metric: str, name: str) -> str:
    """One interval a setting: its difference to the reference.

    Args:
        cohort (Cohort): After :func:`add_differences`.
        metric (str): Key of a metric.
        name (str): Unique start of ids.
    """
    label, differences = METRICS.get(metric, metric), cohort.differences
    assert differences is not None
    shown = [
        (index, setting, runs[0], differences.found[setting][metric])
        for index, (setting, runs) in enumerate(cohort.settings().items())
        if metric in differences.found.get(setting, {})
    ]
    ends = [points(metric) * x for *_, off in shown for x in off.reach]
    scale = Scale([*ends, 0.0])
    height = TOP + ROW * len(shown) + BOTTOM
    x = f'{scale.percent(0):.3f}%'
    line = el('line', x1=x, x2=x, y1=TOP, y2='100%', class_='float faint')
    line += text('reference', x, 16, class_='tick strong end', dx=6)
    rows = ''.join(
        _interval(
            scale,
            run,
            off,
            points(metric),
            index,
            row,
            f'{label} of {setting} against {differences.against[setting]}',
            setting,
        )
        for row, (index, setting, run, off) in enumerate(shown)
    )
    said = f'difference of {label} of {len(shown)} settings to their reference'
    return el(
        'svg',
        el('title', escape(f'Difference of {label} by setting')),
        el('desc', escape(said)),
        _grid(scale),
        line,
        rows,
        class_='chart bars',
        role='group',
        id=name,
        height=height - BOTTOM,
        data_row=ROW,
        data_top=TOP,
    )


def _interval(
    scale: Scale,
    run: Run,
    off: Difference,
    unit: float,
    index: int,
    row: int,
    what: str,
    setting: str,
) -> str:
    low, mean, high = (
        f'{scale.percent(unit * x):.3f}%'
        for x in (off.low, off.mean, off.high)
    )
    said = f'{what}: {off.text(unit)}'
    if off.seeds > 1:
        said += f', {off.seeds} seeds'
    return el(
        'g',
        # pointers meet the whole row
        el('rect', x=0, y=0, width='100%', height=ROW, class_='hit'),
        text(shortened(setting), 0, 14, class_='name'),
        text(off.text(unit), '100%', 14, class_='value end'),
        el('line', x1=low, x2=high, y1=27.5, y2=27.5, class_='interval'),
        el('circle', cx=mean, cy=27.5, r=4, class_='dot'),
        class_=f'mark m-{run.spec.method}',
        data_s=index,
        data_tip=said,
        role='img',
        aria_label=said,
        transform=f'translate(0,{TOP + ROW * row})',
    )


def _grid(scale: Scale) -> str:
    return ''.join(
        el(
            'g',
            el('line', x1=x, x2=x, y1=TOP, y2='100%', class_='grid'),
            text(scale.label(tick), x, '100%', dy=14, class_='tick mid'),
        )
        for tick in scale.ticks
        for x in [f'{scale.percent(tick):.3f}%']
    )
