"""Tables of settings on the page: sorted and filtered by its script."""

from collections.abc import Sequence
from html import escape

from .cohort import Cohort
from .svg import el
from .tables import Cell


def html_table(
    cohort: Cohort,
    names: Sequence[str],
    body: Sequence[Sequence[Cell]],
    label: str,
) -> str:
    """One table: a row for float, if it was measured, and every setting.

    Args:
        cohort (Cohort): From :func:`collect`.
        names (Sequence[str]): Of the columns.
        body (Sequence[Sequence[Cell]]): As :func:`rows` gives them.
        label (str): What it is, for those who do not see it.
    """
    head = ''.join(
        el(
            'th',
            el('button', escape(name), type='button'),
            scope='col',
            aria_sort='none',
        )
        for name in names
    )
    settings = list(cohort.settings().items())
    lines: list[str] = []
    for row in body:
        first, *others = row
        cells = el('th', escape(first.text), scope='row', data_v=first.value)
        cells += ''.join(
            el('td', escape(cell.text), data_v=cell.value) for cell in others
        )
        index = len(lines) - bool(cohort.full)
        if index < 0:
            lines.append(el('tr', cells, class_='lead'))
            continue
        setting, runs = settings[index]
        spec = runs[0].spec
        lines.append(
            el(
                'tr',
                cells,
                data_s=index,
                data_name=setting,
                data_bits=f'W{spec.w_bits}A{spec.a_bits}',
                data_method=spec.method,
            )
        )
    table = el('table', el('thead', el('tr', head)), el('tbody', *lines))
    return el(
        'div',
        table,
        class_='scroll',
        tabindex=0,
        role='region',
        aria_label=label,
    )
