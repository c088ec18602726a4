"""Modes of torch that a caller has set, kept out of what a model becomes."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec('P')
T = TypeVar('T')


@contextmanager
def ordinary_modes() -> Iterator[None]:
    """No inference mode, no autocast, float32 and the CPU by default.

    Codes, scales and statistics are then the same numbers, and tensors that
    can be used anywhere, whatever surrounds the call.
    """
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.enter_context(torch.inference_mode(False))
        for device in ('cpu', 'cuda'):
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        # get_default_device fails after set_default_device(None)
        if torch.empty(0).device.type != 'cpu':
            stack.enter_context(torch.device('cpu'))
        if dtype is not torch.float32:
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, dtype)
        yield


def in_ordinary_modes(verb: Callable[P, T]) -> Callable[P, T]:
    """Runs a function under :func:`ordinary_modes`.

    Args:
        verb (Callable): Such as ``igq_mmdet.calibrate``.
    """

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        with ordinary_modes():
            return verb(*args, **kwargs)

    return run
