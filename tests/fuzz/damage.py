"""Ways to break bytes and JSON, by seed."""

import copy
import math
from random import Random
from typing import Any

# What a field may hold that it should not.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 10**12, -(10**12), 10**400),
    *(0.5, -0.0, 1e-320, 1e308, math.nan, math.inf, -math.inf),
    *('', 'x', '1', '4', '../../etc/passwd', '/dev/zero', '\0', '\x1b[2J\r'),
    *('<script>alert(1)</script>', 'й' * 7, '\ud800', 'a' * 100_000),
    *([], {}, [[]], [{}], {'': None}, [0], ['x'], {'x': 1}, [1, 2, 3, 4]),
)


def broken_bytes(content: bytes, random: Random) -> tuple[str, bytes]:
    """A name for the damage, and the damaged content."""
    kind = random.choice(('cut', 'flip', 'flips', 'insert', 'drop', 'fill'))
    where = random.randrange(len(content))
    broken = bytearray(content)
    if kind == 'cut':
        broken = broken[:where]
    elif kind == 'flip':
        broken[where] ^= 1 << random.randrange(8)
    elif kind == 'flips':
        for _ in range(random.randint(2, 40)):
            broken[random.randrange(len(broken))] = random.randrange(256)
    elif kind == 'insert':
        broken[where:where] = random.randbytes(random.randint(1, 40))
    elif kind == 'drop':
        del broken[where : where + random.randint(1, 40)]
    else:
        size = random.randint(1, 400)
        part = broken[where : where + size]
        broken[where : where + size] = bytes(len(part))
    return f'{kind} at {where}', bytes(broken)


def broken_json(value: Any, random: Random) -> tuple[str, Any]:
    """A name for the damage, and a copy with one field changed."""
    value = copy.deepcopy(value)
    parents = list(_parents(value, ''))
    # short paths first: the many annotations would hide the few fields
    depth = random.choice(sorted({path.count('/') for path, _, _ in parents}))
    parents = [one for one in parents if one[0].count('/') == depth]
    path, parent, key = random.choice(parents)
    kind = random.choice(('set', 'set', 'set', 'drop', 'swap', 'twice'))
    if kind == 'drop':
        del parent[key]
    elif kind == 'twice' and isinstance(parent, list):
        parent.append(copy.deepcopy(parent[key]))
    elif kind == 'swap' and not isinstance(parent[key], dict | list):
        other = parent[key]
        parent[key] = str(other) if not isinstance(other, str) else len(other)
        path += f' = {parent[key]!r}'
    else:
        new = copy.deepcopy(random.choice(VALUES))
        parent[key] = new
        path += f' = {repr(new)[:40]}'
        kind = 'set'
    return f'{kind} {path}', value


def _parents(value: Any, path: str) -> Any:
    """Every container that has something, with every key in it."""
    if isinstance(value, dict):
        items: Any = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    else:
        return
    for key, item in items:
        here = f'{path}/{key}'
        yield here, value, key
        yield from _parents(item, here)
