"""Memory for large outputs, in huge pages where the system has them.

Fresh memory comes page by page, which for an output of 93 MB in pages of 4 kB
can take longer than the integer product that fills it.
"""

import ctypes
import functools
import mmap
from typing import Any

from torch import Tensor

from .guard import readable, recorded

# Bytes from which a tensor has huge pages (of 2 MB) to gain.
LEAST = 1 << 22


def empty(like: Tensor, *shape: int) -> Tensor:
    """As ``like.new_empty(shape)``.

    Args:
        like (Tensor): Gives dtype and device.
        *shape (int): Of the result.

    Returns:
        Tensor: Uninitialised.
    """
    out = like.new_empty(shape)
    if out.is_cpu and not recorded():
        _advise(out)
    return out


def _advise(out: Tensor) -> None:
    if not readable(out):
        return
    size = out.numel() * out.element_size()
    madvise = _madvise()
    if size < LEAST or madvise is None:
        return
    start = -(-out.data_ptr() // mmap.PAGESIZE) * mmap.PAGESIZE
    length = out.data_ptr() + size - start
    # refused where the system knows none: then pages are small
    madvise(
        ctypes.c_void_p(start),
        ctypes.c_size_t(length),
        ctypes.c_int(mmap.MADV_HUGEPAGE),
    )


@functools.cache
def _madvise() -> Any:
    if not hasattr(mmap, 'MADV_HUGEPAGE'):
        return None
    return getattr(ctypes.CDLL(None), 'madvise', None)
