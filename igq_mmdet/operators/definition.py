"""How operators are defined: where each of their forms is to be taken."""

from typing import Any

import torch
from torch import Tensor

from ..errors import KernelError
from ..kernels import library
from ..kernels.call import Library
from ..kernels.guard import readable

NAMESPACE = 'igq'
LIBRARY = torch.library.Library(NAMESPACE, 'DEF')


class Operator:
    """One call of an operator, made from its arguments in their order."""

    def __init__(self, *args: Any) -> None:
        raise NotImplementedError

    def in_torch(self) -> Any:
        """Computes it in torch's operations.

        On every device, and where kernels cannot.
        """
        raise NotImplementedError

    def fits(self) -> bool:
        """Whether kernels compute with the arguments.

        They can read the tensors; shapes, dtypes and layouts are asked.
        """
        raise NotImplementedError

    def in_c(self, kernels: Library) -> Any:
        """Computes it by kernels.

        Args:
            kernels (Library): For this machine.
        """
        raise NotImplementedError

    def shapes(self) -> Any:
        """Results of the right shape, without values.

        None of an operator that writes where it is told.
        """


def operator(schema: str, kind: type[Operator]) -> Any:
    """Defines an operator.

    Args:
        schema (str): Name, arguments and results, as torch writes them.
        kind (type[Operator]): Takes the arguments and computes.

    Returns:
        OpOverload: To be called.
    """
    name = schema.partition('(')[0]

    def on_cpu(*args: Any) -> Any:
        refuse_gradients(name, args)
        call = kind(*args)
        kernels = library()
        if (
            kernels is not None
            # addresses are given for memory that is there only
            and all(readable(x) for x in args if isinstance(x, Tensor))
            and call.fits()
        ):
            return call.in_c(kernels)
        return call.in_torch()

    def elsewhere(*args: Any) -> Any:
        refuse_gradients(name, args)
        return kind(*args).in_torch()

    def fake(*args: Any) -> Any:
        return kind(*args).shapes()

    LIBRARY.define(schema, tags=(torch.Tag.pt2_compliant_tag,))
    LIBRARY.impl(name, on_cpu, 'CPU')
    LIBRARY.impl(name, elsewhere, 'CompositeExplicitAutograd')
    full = f'{NAMESPACE}::{name}'
    torch.library.register_fake(full, fake, lib=LIBRARY)
    return getattr(getattr(torch.ops, NAMESPACE), name).default


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
