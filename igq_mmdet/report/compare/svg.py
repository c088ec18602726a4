"""Elements of a page, escaped, and scales of a chart.

Positions along x are percent and those along y pixels or percent, so that a
chart takes the width of its place while its text keeps its size.
"""

import math
from collections.abc import Sequence
from html import escape


def el(name: str, *children: str, **attributes: object) -> str:
    """One element; attributes are escaped, children are markup.

    Args:
        name (str): Of the element.
        children (str): Markup; texts go through ``html.escape`` first.
        attributes: ``_`` at an end is dropped and stands for ``-`` inside;
            None leaves one out, True gives it no value.
    """
    said = ''
    for key, value in attributes.items():
        if value is None or value is False:
            continue
        key = key.strip('_').replace('_', '-')
        if isinstance(value, float):
            value = f'{value:.6g}'
        said += (
            f' {key}' if value is True else f' {key}="{escape(str(value))}"'
        )
    if not children and name in ('line', 'rect', 'path', 'circle', 'img'):
        end = '/>' if name != 'img' else '>'
        return f'<{name}{said}{end}'
    return f'<{name}{said}>{"".join(children)}</{name}>'


def text(label: str, x: object, y: object, **attributes: object) -> str:
    """A text in a chart; the label is escaped."""
    return el('text', escape(label), x=x, y=y, **attributes)


def figure(title: str, about: str, chart: str, look: str = '') -> str:
    """A chart with its name and what it shows.

    Args:
        title (str): Its name.
        about (str): What it shows.
        chart (str): Markup.
        look (str): Classes of the figure. Defaults to none.
    """
    caption = el('figcaption', el('h3', escape(title)), el('p', escape(about)))
    return el('figure', caption, chart, class_=look or None)


def shortened(label: str, length: int = 34) -> str:
    """The label, or its start and an ellipsis."""
    return label if len(label) <= length else label[: length - 1] + '…'


class Scale:
    """Values to percent, between round numbers.

    Args:
        values (Sequence[float]): What must fit.
        zero (bool): Whether the scale starts at 0. Defaults to False.
        steps (int): About how many ticks. Defaults to 5.
    """

    def __init__(
        self, values: Sequence[float], zero: bool = False, steps: int = 5
    ) -> None:
        low, high = min(values), max(values)
        if zero:
            low = min(low, 0.0)
        if high - low <= 1e-9 * max(abs(high), abs(low), 1e-9):
            high, low = high + abs(high or 1) / 2, low - abs(low or 1) / 2
            low = max(low, 0.0) if zero else low
        rough = (high - low) / steps
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(
            m * power for m in (1, 2, 2.5, 5, 10) if m * power >= rough
        )
        first, last = math.floor(low / step), math.ceil(high / step)
        self.low, self.high = first * step, last * step
        self.ticks = [i * step for i in range(first, last + 1)]
        digits = max(0, -math.floor(math.log10(step)))
        self._digits = digits + (step / 10.0**-digits % 1 > 1e-6)

    def percent(self, value: float) -> float:
        """Where a value lies, 0 to 100."""
        return 100 * (value - self.low) / (self.high - self.low)

    def label(self, tick: float) -> str:
        """A tick in words."""
        return f'{tick:.{self._digits}f}'
