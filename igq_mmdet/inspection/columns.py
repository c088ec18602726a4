"""Text in columns."""

from collections.abc import Sequence


def format_rows(rows: Sequence[Sequence[str]]) -> str:
    """Aligns columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [
            cell.rjust(width)
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append('  '.join(cells).rstrip())
    lines.insert(1, '-' * max(map(len, lines)))
    return '\n'.join(lines)


def markdown_rows(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown, header first, aligned as above."""
    head, *body = (f'| {" | ".join(row)} |' for row in rows)
    rule = '|---' + '|---:' * (len(rows[0]) - 1) + '|'
    return '\n'.join([head, rule, *body])
