"""Ways to break files that grow line by line, by seed."""

from collections.abc import Sequence
from random import Random

from .damage import broken_bytes

HUGE = 20_000_000
KINDS = (
    *('bytes', 'bytes', 'cut', 'cut', 'twice', 'swap', 'drop', 'shuffle'),
    *('foreign', 'foreign', 'foreign first', 'all foreign', 'both', 'again'),
    *('nul', 'nul line', 'nul end', 'huge', 'huge end', 'text', 'crlf'),
    *('bom', 'empty', 'no last line feed', 'deep'),
)


def broken_lines(
    content: bytes, other: bytes, random: Random
) -> tuple[str, bytes]:
    """A name for the damage, and the damaged file.

    Args:
        content (bytes): Whole lines.
        other (bytes): The file of another run.
        random (Random): What is drawn with.
    """
    kind = random.choice(KINDS)
    if kind == 'bytes':
        return broken_bytes(content, random)
    if kind == 'cut':
        where = random.randrange(len(content))
        return f'cut at {where} of {len(content)}', content[:where]
    whole = {
        'both': content + other,
        'again': content * 2,
        'all foreign': other,
        'crlf': content.replace(b'\n', b'\r\n'),
        'bom': b'\xef\xbb\xbf' + content,
        'empty': b'',
        'no last line feed': content[:-1],
    }
    if kind in whole:
        return kind, whole[kind]
    lines = content.splitlines(keepends=True)
    at = random.randrange(len(lines) + 1)
    _change(kind, lines, at, other.splitlines(keepends=True), random)
    return f'{kind} at line {at}', b''.join(lines)


def _change(
    kind: str,
    lines: list[bytes],
    at: int,
    others: Sequence[bytes],
    random: Random,
) -> None:
    index = min(at, len(lines) - 1)
    new = {
        'twice': lines[index],
        'foreign': random.choice(others[1:]),
        'foreign first': others[0],
        'nul line': bytes(random.randint(1, 5000)) + b'\n',
        'huge': b'{"img_id":' + b'1' * HUGE + b'}\n',
        'text': b'null\n',
        'deep': b'[' * 100_000 + b'\n',
    }
    if kind in new:
        lines.insert(at, new[kind])
    elif kind == 'nul end':  # what a loss of power leaves
        lines.append(bytes(random.randint(1, 5000)))
    elif kind == 'huge end':
        lines.append(bytes(HUGE))
    elif kind == 'nul':
        lines[index] = bytes(len(lines[index]))
    elif kind == 'drop':
        del lines[index]
    elif kind == 'swap':
        other = random.randrange(len(lines))
        lines[index], lines[other] = lines[other], lines[index]
    else:
        random.shuffle(lines)
