"""Torch's switches as this package's own numbers need them.

What it makes (bounds, codes, buffers) must not hang on a switch that
happens to be on around a call, nor be of use only while it is.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch

DEVICES = ('cpu', 'cuda', 'mps', 'xpu')  # that autocast is for


@contextmanager
def usual_modes() -> Iterator[None]:
    """No inference mode, no autocast, float32 on a CPU by default.

    A context and a decorator. What a user hands over (a forward, an
    iterable of batches) is not run in it: it may rely on their switches.
    """
    with ExitStack() as stack:
        stack.enter_context(full_precision())
        if torch.is_inference_mode_enabled():
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.no_grad())
        if torch.get_default_device().type != 'cpu':
            stack.enter_context(torch.device('cpu'))
        dtype = torch.get_default_dtype()
        if dtype is not torch.float32:
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, dtype)
        yield


@contextmanager
def full_precision() -> Iterator[None]:
    """No autocast: statistics are those of the model's own dtype."""
    with ExitStack() as stack:
        for device in DEVICES:
            if torch.is_autocast_enabled(device):
                stack.enter_context(torch.autocast(device, enabled=False))
        yield
