"""Rooms of the package: each says what it imports, and no arrow points up."""

import ast
import re
from functools import cache
from graphlib import TopologicalSorter

import pytest

from .conftest import ROOT

PACKAGE = ROOT / 'igq_mmdet'
# Its parts import each other: a layer its base, the table every layer.
WHOLE = 'modules'
MOST_FILES = 12


def files():
    """Every module of the package, as (parts of its name, path)."""
    for path in sorted(PACKAGE.rglob('*.py')):
        parts = path.relative_to(PACKAGE).with_suffix('').parts
        if '.mim' not in parts:
            yield parts, path


@cache
def names():
    """All dotted names, packages without ``__init__``."""
    return {
        '.'.join(parts).removesuffix('__init__').rstrip('.')
        for parts, _ in files()
    }


def room_of(name):
    """The folder a module lies in; a module of the top is its own room."""
    if name.split('.')[0] == WHOLE:
        return WHOLE
    is_folder = (PACKAGE / name.replace('.', '/')).is_dir()
    return name if is_folder else name.rpartition('.')[0] or name


def imports(parts, path):
    """Dotted names of this package that a module imports, anywhere."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = parts[: len(parts) - node.level]
        base += tuple((node.module or '').split('.')) if node.module else ()
        for alias in node.names:
            full = '.'.join((*base, alias.name))
            yield full if full in names() else '.'.join(base)


@cache
def arrows():
    """What each room imports of the others."""
    found = {}
    for parts, path in files():
        name = '.'.join(parts).removesuffix('__init__').rstrip('.')
        here = room_of(name) if name else '__init__'
        rooms = {room_of(other) for other in imports(parts, path)}
        found.setdefault(here, set()).update(rooms - {here, ''})
    return found


ROOMS = sorted(
    room for room in arrows() if (PACKAGE / room.replace('.', '/')).is_dir()
)


def test_no_arrow_points_up():
    # the top is seen by nobody below it
    graph = {a: b for a, b in arrows().items()}
    order = list(TopologicalSorter(graph).static_order())
    assert order.index('quantizers') < order.index('studies')


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_says_what_it_imports(room):
    text = ast.get_docstring(
        ast.parse(
            (PACKAGE / room.replace('.', '/') / '__init__.py').read_text()
        )
    )
    said = re.search(r'^Imports: (.*)\.$', text, re.MULTILINE | re.DOTALL)
    assert said, f'{room}: its docstring has no line "Imports: ..."'
    listed = set(said[1].replace('\n', ' ').split(', '))
    assert listed - {'nothing of the package'} == arrows()[room]


@pytest.mark.parametrize('room', ROOMS)
def test_a_room_is_not_a_warehouse(room):
    folders = [PACKAGE / room.replace('.', '/')]
    if room == WHOLE:
        folders += [f for f in folders[0].iterdir() if f.is_dir()]
    for folder in folders:
        found = [p for p in folder.glob('*.py') if p.name != '__init__.py']
        assert len(found) <= MOST_FILES, f'{folder.name}: {len(found)} files'
