"""What waits for an import runs once, in either order."""

import importlib
import importlib.util
import sys

import pytest

from igq_mmdet.when_imported import when_imported


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package that nobody has imported, with a module in it."""
    (tmp_path / 'waited_for').mkdir()
    (tmp_path / 'waited_for/__init__.py').write_text('from . import part\n')
    (tmp_path / 'waited_for/part.py').write_text('value = 3\n')
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, 'meta_path', [*sys.meta_path])
    yield 'waited_for'
    for name in [x for x in sys.modules if x.startswith('waited_for')]:
        del sys.modules[name]


@pytest.mark.parametrize('name', ['waited_for', 'waited_for.part'])
@pytest.mark.parametrize('first', [True, False])
def test_either_order(name, first, package):
    seen = []
    if first:
        importlib.import_module(package)

    def run():
        # it is whole, and may be imported from
        seen.append(importlib.import_module('waited_for.part').value)

    when_imported(name, run)
    assert seen == ([3] if first else [])
    assert importlib.util.find_spec(package) is not None  # only a look
    assert seen == ([3] if first else [])
    importlib.import_module(package)
    importlib.import_module(package)
    assert seen == [3]


def test_what_is_not_there_stays_so():
    when_imported('there_is_no_such_package', lambda: 1 / 0)
    try:
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module('there_is_no_such_package')
    finally:
        del sys.meta_path[0]
