"""Classes by name, to which files outside the package add theirs."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from .errors import SpecError
from .field_checks import did_you_mean

T = TypeVar('T')
# what command lines, file names and style sheets take as one word
NAME = re.compile(r'[A-Za-z]\w*', re.ASCII)
# of steps one after another; no style sheet names these
STEPS = re.compile(r'[A-Za-z]\w*(\+[A-Za-z]\w*)*', re.ASCII)


class OpenRegistry(Mapping[str, type[T]], Generic[T]):
    """A registry like mmengine's that works where mmengine is missing.

    Where mmengine is loaded, :mod:`igq_mmdet.registry` makes the same
    classes known to it.

    Example:
        >>> @METHODS.register_module('mine')
        ... class Mine(Method):
        ...     ...

    Args:
        name (str): What its classes are called in messages.
        base (type): What they derive from.
        steps (bool): Whether a name can be words with + between them.
            Defaults to False.
    """

    def __init__(self, name: str, base: type[T], steps: bool = False) -> None:
        self.name = name
        self.base = base
        self.pattern = STEPS if steps else NAME
        self.module_dict: dict[str, type[T]] = {}

    def register_module(
        self,
        name: str | None = None,
        force: bool = False,
        module: type[T] | None = None,
    ) -> Any:
        """Adds a class; used as a decorator or called with ``module``.

        Args:
            name (str, optional): Defaults to the name of the class.
            force (bool): Replace a class of that name. Defaults to False.
            module (type, optional): The class, if not decorated.

        Raises:
            SpecError: It is not of the right kind, or the name is taken or
                not one word.
        """

        def add(kind: type[T]) -> type[T]:
            self.add(kind, name, force)
            return kind

        return add if module is None else add(module)

    def add(self, kind: Any, name: str | None, force: bool) -> None:
        """See :meth:`register_module`."""
        if not (isinstance(kind, type) and issubclass(kind, self.base)):
            raise SpecError(
                f'{self.name} {name or kind!r} must be a class derived from '
                f'{self.base.__module__}.{self.base.__name__}'
            )
        name = name or kind.__name__
        if not self.pattern.fullmatch(name):
            raise SpecError(
                f'{self.name} {name!r} must have a name of letters, digits '
                'and _, with a letter first'
            )
        if name in self.module_dict and not force:
            raise SpecError(
                f'{self.name} {name!r} is registered already, by '
                f'{self.module_dict[name].__module__}; take another name'
            )
        self.module_dict[name] = kind

    def check(self, name: object) -> None:
        """Refuses a name that nothing is registered under.

        Raises:
            SpecError: Guesses which name is meant.
        """
        if not isinstance(name, str) or name not in self.module_dict:
            raise SpecError(
                f'unknown {self.name} {name!r}{did_you_mean(name, self)} '
                '(one of your own has to be imported first: custom_imports)'
            )

    def build(self, name: str) -> T:
        """An object of the class of that name."""
        return self.module_dict[name]()

    def __getitem__(self, name: str) -> type[T]:
        return self.module_dict[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.module_dict)

    def __len__(self) -> int:
        return len(self.module_dict)
