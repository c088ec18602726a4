"""A float module with some of its methods replaced, and nothing copied."""

from functools import cache
from typing import Any, TypeVar

from torch import nn

Mixin = TypeVar('Mixin', bound=nn.Module)


@cache
def _variant_class(mixin: Any, kind: Any) -> Any:
    def reduce(self: Any) -> tuple[Any, ...]:
        # pickle finds classes by name, and this one has none to find
        state = getattr(self, '__getstate__', lambda: self.__dict__)()
        return _empty_variant, (mixin, kind), state

    name = f'{mixin.__name__}[{kind.__name__}]'
    body = {'__module__': mixin.__module__, '__reduce__': reduce}
    return type(name, (mixin, kind), body)


def _empty_variant(mixin: Any, kind: Any) -> Any:
    """A variant to be filled, as pickle and copy make one."""
    made = _variant_class(mixin, kind)
    return made.__new__(made)


def variant(mixin: type[Mixin], module: nn.Module) -> Mixin:
    """A module of the float module's class with a mixin before it.

    Attributes, parameters and submodules are shared with the float module;
    assigning to the variant does not change them there. Neither
    ``__init__`` is called.

    Args:
        mixin (type): Its methods go before those of the float class, which
            they reach through ``super()``.
        module (nn.Module): The float module.

    Returns:
        nn.Module: The variant.
    """
    made: Mixin = _empty_variant(mixin, type(module))
    for key, value in module.__dict__.items():
        # torch's registries of parameters, buffers, children and hooks
        made.__dict__[key] = value.copy() if _registry(value) else value
    return made


def _registry(value: Any) -> bool:
    return isinstance(value, dict | set)
