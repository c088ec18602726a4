"""AP against what it costs."""

from collections.abc import Callable, Sequence
from html import escape
from statistics import fmean

from ..ablations.tables import spread
from ..metrics import METRICS
from .cohort import Cohort, Run
from .svg import Scale, el, text
from .tables import metric_values

# a shape for each pair of bits, so that colour is not alone
SHAPES = (
    'M-6,0A6,6 0 1,0 6,0A6,6 0 1,0 -6,0Z',
    'M-5.5,-5.5H5.5V5.5H-5.5Z',
    'M0,-7L6.5,5H-6.5Z',
    'M0,-7.5L7.5,0L0,7.5L-7.5,0Z',
    'M0,7L6.5,-5H-6.5Z',
    'M-2,-7H2V-2H7V2H2V7H-2V2H-7V-2H-2Z',
)
Cost = tuple[str, Callable[[Run], float]]
COSTS: dict[str, Cost] = {
    'bops': ('GBOPs an image', lambda run: run.bops / 1e9),
    'size': ('size in MB', lambda run: run.size / 1e6),
}


def bit_pairs(cohort: Cohort) -> list[tuple[int, int]]:
    """Pairs of weight and activation bits that occur, smallest first."""
    return sorted({(r.spec.w_bits, r.spec.a_bits) for r in cohort.runs})


def scatter(cohort: Cohort, metric: str, cost: str, name: str) -> str:
    """One point a setting.

    Args:
        cohort (Cohort): From :func:`collect`.
        metric (str): Key of a metric, upwards.
        cost (str): Key of ``COSTS``, to the right.
        name (str): Unique start of ids.
    """
    label, (unit, of) = METRICS.get(metric, metric), COSTS[cost]
    points = []
    for index, (setting, runs) in enumerate(cohort.settings().items()):
        values = metric_values(runs, metric)
        if values:
            x = fmean(of(run) for run in runs)
            points.append((index, setting, runs, x, values))
    if not points:
        return el('p', f'No {escape(label)} in these runs.', class_='none')
    full = cohort.full.get(metric)
    across = Scale([x for *_, x, _ in points], steps=4)
    means = [fmean(values) for *_, values in points]
    up = Scale([*means, *([] if full is None else [full])])
    pairs = bit_pairs(cohort)
    marks = ''.join(
        _point(
            across.percent(x),
            up.percent(fmean(values)),
            pairs,
            index,
            setting,
            runs,
            f'{label} {spread(values)}, {x:.2f} {unit}',
        )
        for index, setting, runs, x, values in points
    )
    line = ''
    if full is not None:
        y = f'{100 - up.percent(full):.3f}%'
        line = el('line', x1=0, x2='100%', y1=y, y2=y, class_='float')
        line += text(
            f'float {full:.2f}', '100%', y, dy=-6, class_='tick strong end'
        )
    return el(
        'svg',
        el('title', escape(f'{label} against {unit}')),
        el('desc', escape(f'{len(points)} settings, one point each')),
        axes(across, up, unit, label),
        line,
        marks,
        class_='chart plot',
        role='group',
        id=name,
        height=250,
    )


def axes(across: Scale | None, up: Scale, below: str, beside: str) -> str:
    """Grid, ticks and names of both axes.

    Args:
        across (Scale, optional): Of x; None leaves its ticks out.
        up (Scale): Of y.
        below (str): Name of x.
        beside (str): Name of y.
    """
    parts = []
    for tick in up.ticks:
        y = f'{100 - up.percent(tick):.3f}%'
        parts.append(el('line', x1=0, x2='100%', y1=y, y2=y, class_='grid'))
        parts.append(text(up.label(tick), -8, y, dy=4, class_='tick end'))
    for tick in [] if across is None else across.ticks:
        x = f'{across.percent(tick):.3f}%' if across is not None else ''
        label = across.label(tick) if across is not None else ''
        parts.append(el('line', x1=x, x2=x, y1=0, y2='100%', class_='grid'))
        parts.append(text(label, x, '100%', dy=16, class_='tick mid'))
    parts.append(text(below, '100%', '100%', dy=34, class_='tick end'))
    parts.append(text(beside, -40, -10, class_='tick'))
    return el('g', *parts, aria_hidden='true')


def _point(
    x: float,
    y: float,
    pairs: Sequence[tuple[int, int]],
    index: int,
    setting: str,
    runs: Sequence[Run],
    said: str,
) -> str:
    spec = runs[0].spec
    shape = SHAPES[pairs.index((spec.w_bits, spec.a_bits)) % len(SHAPES)]
    return el(
        'svg',
        el('circle', r=13, class_='hit'),
        el('path', d=shape, class_='point'),
        x=f'{x:.3f}%',
        y=f'{100 - y:.3f}%',
        class_=f'mark m-{spec.method}',
        data_s=index,
        data_tip=f'{setting}\n{said}',
        role='img',
        aria_label=f'{setting}: {said}',
    )
