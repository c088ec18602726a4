"""How operators are defined: where each of their forms is to be taken."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..errors import KernelError
from ..kernels import library
from ..kernels.guard import readable

NAMESPACE = 'igq'
LIBRARY = torch.library.Library(NAMESPACE, 'DEF')


def operator(
    schema: str,
    in_torch: Callable[..., Any],
    in_c: Callable[..., Any],
    fits: Callable[..., bool],
    shapes: Callable[..., Any],
) -> Any:
    """Defines an operator.

    Args:
        schema (str): Name, arguments and results, as torch writes them.
        in_torch (Callable): Computes it in torch's operations: on every
            device, and where kernels cannot.
        in_c (Callable): Takes a ``Library`` and the arguments.
        fits (Callable): Whether kernels compute with arguments, whose
            tensors they can read: shapes, dtypes and layouts.
        shapes (Callable): Results of the right shape, without values.

    Returns:
        OpOverload: To be called.
    """
    name = schema.partition('(')[0]

    def on_cpu(*args: Any) -> Any:
        refuse_gradients(name, args)
        kernels = library()
        if (
            kernels is not None
            # addresses are given for memory that is there only
            and all(readable(x) for x in args if isinstance(x, Tensor))
            and fits(*args)
        ):
            return in_c(kernels, *args)
        return in_torch(*args)

    def elsewhere(*args: Any) -> Any:
        refuse_gradients(name, args)
        return in_torch(*args)

    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, on_cpu, 'CPU')
    LIBRARY.impl(name, elsewhere, 'CompositeExplicitAutograd')
    full = f'{NAMESPACE}::{name}'
    torch.library.register_fake(full, shapes, lib=LIBRARY)
    return getattr(getattr(torch.ops, NAMESPACE), name).default


def nothing(*args: Any) -> None:
    """The ``shapes`` of an operator that writes where it is told."""


def refuse_gradients(name: str, args: tuple[Any, ...]) -> None:
    """Raises if a result would be expected to have a gradient.

    Args:
        name (str): Of the operator.
        args (tuple): What it got.

    Raises:
        KernelError: One requires a gradient while they are recorded.
    """
    if torch.is_grad_enabled() and any(
        isinstance(x, Tensor) and x.requires_grad for x in args
    ):
        raise KernelError(
            f'{NAMESPACE}::{name} rounds and has no gradient; call it under '
            'torch.no_grad() or detach its arguments'
        )


def plain(dtype: torch.dtype, *tensors: Tensor) -> bool:
    """Whether tensors are contiguous and of one dtype.

    Args:
        dtype (torch.dtype): What C reads.
        *tensors (Tensor): Any.
    """
    return all(x.dtype is dtype and x.is_contiguous() for x in tensors)
