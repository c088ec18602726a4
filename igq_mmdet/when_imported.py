"""Runs something as soon as a module of another package is there."""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


class _Waiting:
    """A finder that finds nothing itself; see :func:`when_imported`."""

    def __init__(self, name: str, run: Callable[[], object]) -> None:
        self.name = name
        self.run = run

    def find_spec(
        self,
        name: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        if name != self.name:
            return None
        found = None
        for finder in sys.meta_path:
            if finder is not self and found is None:
                found = finder.find_spec(name, path, target)
        if found is None or found.loader is None:
            return found
        loader: Any = found.loader
        execute = loader.exec_module

        def execute_and_run(module: ModuleType) -> None:
            execute(module)
            self.run()

        loader.exec_module = execute_and_run
        return found


def when_imported(name: str, run: Callable[[], object]) -> None:
    """Calls a function now, or when a module has been imported.

    So the order of two imports, which sorters of imports turn round, does
    not matter, and nothing is imported for those who do not use it.

    Args:
        name (str): Dotted name of the module.
        run (Callable): Called without arguments.
    """
    if name in sys.modules:
        run()
    else:
        finder: Any = _Waiting(name, run)
        sys.meta_path.insert(0, finder)
