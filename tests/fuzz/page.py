"""Writes the counts into docs/reliability.md."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from igq_mmdet.files.atomic import replacing

from .kinds import KINDS
from .trial import EQUAL, REFUSED, WRONG

BEGIN = '<!-- made by python -m tests.fuzz --page -->'
END = '<!-- end -->'


def write_page(
    path: Path, rows: Mapping[str, Counter[str]], seed: int
) -> None:
    """Replaces the table between the marks.

    Args:
        path (Path): The page; it has both marks.
        rows (Mapping[str, Counter]): Outcomes by kind.
        seed (int): What the cases were drawn with.
    """
    before, _, rest = path.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    lines = [
        '| input | cases | refused with one line | worked | wrong |'
        ' what *worked* means |',
        '|---|---|---|---|---|---|',
    ]
    for name, row in rows.items():
        lines.append(
            f'| {name} | {row.total()} | {row[REFUSED]} | {row[EQUAL]} | '
            f'{row[WRONG]} | {KINDS[name].equal} |'
        )
    total = sum(rows.values(), Counter())
    lines.append(
        f'| all, seed {seed} | {total.total()} | {total[REFUSED]} | '
        f'{total[EQUAL]} | {total[WRONG]} | |'
    )
    table = '\n'.join(lines)
    with replacing(path) as temporary:
        temporary.write_text(f'{before}{BEGIN}\n\n{table}\n\n{END}{after}')
