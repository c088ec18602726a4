"""A float module with some of its methods replaced, and nothing copied."""

from functools import cache
from typing import Any, TypeVar

from torch import nn

Mixin = TypeVar('Mixin', bound=nn.Module)


@cache
def _variant_class(mixin: Any, kind: Any) -> Any:
    name = f'{mixin.__name__}[{kind.__name__}]'
    members = {'__module__': mixin.__module__, '__reduce_ex__': _reduce}
    return type(name, (mixin, kind), members)


def _float_class(mixin: type, module: nn.Module) -> type:
    """The class of a module; of a variant that is varied further, its own."""
    kind = type(module)
    if kind.__dict__.get('__reduce_ex__') is _reduce:
        before, inner = kind.__bases__
        if issubclass(mixin, before):
            return inner
    return kind


def _empty(mixin: Any, kind: Any) -> Any:
    made = _variant_class(mixin, kind)
    return made.__new__(made)


def _reduce(module: Any, protocol: Any) -> Any:
    """Pickles by the classes it is made of: its own has no address."""
    mixin, kind = type(module).__bases__
    parts: Any = object.__reduce_ex__(module, protocol)
    return _empty, (mixin, kind), *parts[2:]


def variant(mixin: type[Mixin], module: nn.Module) -> Mixin:
    """A module of the float module's class with a mixin before it.

    Attributes, parameters and submodules are shared with the float module;
    assigning to the variant does not change them there. Neither
    ``__init__`` is called.

    Args:
        mixin (type): Its methods go before those of the float class, which
            they reach through ``super()``.
        module (nn.Module): The float module, or a variant of it with a
            base of ``mixin``, which gives way.

    Returns:
        nn.Module: The variant.
    """
    kinds: Any = (mixin, _float_class(mixin, module))
    kind = _variant_class(*kinds)
    made = kind.__new__(kind)
    for key, value in module.__dict__.items():
        # torch's registries of parameters, buffers, children and hooks
        made.__dict__[key] = value.copy() if _registry(value) else value
    return made


def _registry(value: Any) -> bool:
    return isinstance(value, dict | set)


class Variant(nn.Module):
    """Base of modules that stand for a float one, some methods replaced."""

    @classmethod
    def from_float(cls: type[Mixin], module: nn.Module) -> Mixin:
        """Takes over everything of a float module, see :func:`variant`.

        Args:
            module (nn.Module): The float module.
        """
        return variant(cls, module)
