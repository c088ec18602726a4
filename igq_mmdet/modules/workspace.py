"""Memory for values that one operation makes and the next uses up.

Fresh memory of this size comes from the system page by page, which takes
longer than quantizing into it.
"""

import threading

import torch
from torch import Tensor

from ..kernels import recorded

LIMIT = 1 << 27  # bytes kept per thread; larger values get fresh memory

_kept = threading.local()


def workspace(like: Tensor, use: str = 'input') -> Tensor:
    """Memory whose content is free to use until the next call.

    Args:
        like (Tensor): Gives shape, dtype and device.
        use (str): Calls for another use do not touch it. Defaults to
            ``input``.

    Returns:
        Tensor: Contiguous, uninitialised. On a CPU it shares memory with
        what earlier calls in this thread returned.
    """
    size = like.numel() * like.element_size()
    if like.device.type != 'cpu' or size > LIMIT or recorded():
        return torch.empty(like.shape, dtype=like.dtype, device=like.device)
    buffer: Tensor | None = getattr(_kept, use, None)
    if buffer is None or buffer.numel() < size:
        with torch.inference_mode(False):  # others will use it outside
            buffer = torch.empty(size, dtype=torch.uint8, device='cpu')
        setattr(_kept, use, buffer)
    return buffer[:size].view(like.dtype).view(like.shape)
