"""The compiled kernels, if this machine has them.

The library is plain C behind ctypes: it needs no header of torch and no
Python of one version. It shares torch's OpenMP threads.
"""

import ctypes
import functools
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .sources import fingerprint

NAME = '_kernels'  # setup.py builds igq_mmdet/kernels/_kernels*.so
# 'avx512', 'avx2' or 'none': at most this instruction set
LIMIT = 'IGQ_MMDET_ISA'
SETS = ('none', 'avx2', 'avx512')

pointer = ctypes.c_void_p
int64 = ctypes.c_int64


class CodesStruct(ctypes.Structure):
    """``Codes`` of csrc/api.h."""

    _fields_ = [
        (name, pointer) for name in ('scale', 'low', 'high', 'multiple')
    ]


class WeightsStruct(ctypes.Structure):
    """``Weights`` of csrc/api.h."""

    _fields_ = [
        *((name, pointer) for name in ('codes', 'zero', 'scale', 'bias')),
        ('inputs', int64),
        ('outputs', int64),
        ('wide', ctypes.c_int32),
    ]


class ConvStruct(ctypes.Structure):
    """``Conv`` of csrc/api.h."""

    _fields_ = [
        (name, int64)
        for name in (
            'images',
            'height',
            'width',
            'out_height',
            'out_width',
            'kernel_h',
            'kernel_w',
            'stride_h',
            'stride_w',
            'pad_h',
            'pad_w',
            'dilation_h',
            'dilation_w',
        )
    ]


class AttentionStruct(ctypes.Structure):
    """``Attention`` of csrc/api.h."""

    _fields_ = [
        *(
            (name, int64)
            for name in (
                'images',
                'rows',
                'tokens',
                'windows',
                'length',
                'heads',
                'depth',
                'groups',
            )
        ),
        *(
            (name, pointer)
            for name in (
                'gather',
                'bias',
                'mask',
                'query',
                'key',
                'value',
                'edges',
                'row_scale',
            )
        ),
        ('score_scale', ctypes.c_float),
        ('top', ctypes.c_float),
        ('shift', ctypes.c_int32),
        ('wide', ctypes.c_int32),
    ]


class RowsStruct(ctypes.Structure):
    """``Rows`` of csrc/api.h."""

    _fields_ = [
        ('size', int64 * 4),
        ('width', int64),
        ('stride', int64 * 8),
        ('term', pointer * 2),
        ('edges', pointer),
        ('row_scale', pointer),
        ('groups', int64),
        ('factor', ctypes.c_float),
        ('top', ctypes.c_float),
    ]


class Library:
    """The kernels of one instruction set.

    Args:
        handle (ctypes.CDLL): The loaded library.
        level (int): Index into ``SETS``.
    """

    def __init__(self, handle: Any, level: int) -> None:
        self.handle = handle
        self.level = level

    @property
    def name(self) -> str:
        """``avx2`` or ``avx512``."""
        return SETS[self.level]

    @torch.compiler.disable
    def call(self, function: str, *args: Any) -> None:
        """Calls ``igq_<function>``; integers are 64 bits wide.

        Tensors live until it returns. A caller that puts pointers into a
        struct must be ``torch.compiler.disable`` as well: compiled code
        frees what it sees no further use of.
        """
        values = [_argument(value) for value in args]
        getattr(self.handle, f'igq_{function}')(
            ctypes.c_int(self.level), *values
        )


def _argument(value: Any) -> Any:
    if value is None:
        return pointer(None)
    if isinstance(value, Tensor):
        return pointer(value.data_ptr())
    if isinstance(value, ctypes.Structure):
        return ctypes.byref(value)
    return int64(value)


def runs_here(*tensors: Tensor) -> bool:
    """Whether kernels can read tensors: float32 on a CPU."""
    return all(
        x.device.type == 'cpu' and x.dtype is torch.float32 for x in tensors
    )


@functools.cache
def library(limit: str | None = None) -> Library | None:
    """The kernels for this machine, or None; says once why there are none.

    Args:
        limit (str, optional): At most this instruction set, of ``SETS``.
            Defaults to the environment variable ``IGQ_MMDET_ISA``.

    Returns:
        Library, optional: None where the pure torch path is to be taken.
    """
    limit = limit or os.environ.get(LIMIT, SETS[-1])
    if limit not in SETS:
        raise ValueError(f'{LIMIT} must be one of {SETS}, got {limit!r}')
    found = sorted(Path(__file__).parent.glob(f'{NAME}*.so'))
    reason = 'the compiled kernels were not built (no C++ compiler?)'
    if limit == 'none':
        reason = 'no instruction set is allowed'
    elif found:
        try:
            _share_openmp()
            handle = ctypes.CDLL(str(found[0]))
            best = int(handle.igq_instruction_set())
            stale = _stale(handle)
        except (OSError, AttributeError) as error:
            reason = f'the compiled kernels do not load ({error})'
        else:
            if best and not stale:
                return Library(handle, min(best, SETS.index(limit)))
            reason = 'this processor has neither AVX-512 VNNI nor AVX2'
            if stale:
                reason = (
                    'the compiled kernels are older than their sources; '
                    'python setup.py build_ext --inplace renews them'
                )
    warnings.warn(
        f'igq_mmdet.kernels: {reason}; quantized layers run in torch, with '
        'the same results: integer ones slower than float, simulated ones '
        'slower than they need be',
        stacklevel=2,
    )
    return None


def _stale(handle: Any) -> bool:
    """Whether a library was made of other sources than lie beside it."""
    sources = Path(__file__).parent / 'csrc'
    if not sources.is_dir():
        return False
    if not hasattr(handle, 'igq_sources'):
        return True
    handle.igq_sources.restype = ctypes.c_char_p
    return bool(handle.igq_sources().decode() != fingerprint(sources))


def _share_openmp() -> None:
    """Makes torch's OpenMP the one that the kernels find.

    They are linked to none: a second one would bring threads of its own,
    which fight those of torch for the cores.
    """
    names = ('libgomp', 'libiomp5', 'libomp')
    own = Path(torch.__file__).parent / 'lib'
    beside = own.parent.parent / 'torch.libs'
    candidates = [
        str(path)
        for folder in (own, beside)
        for name in names
        for path in sorted(folder.glob(f'{name}*.so*'))
    ]
    if sys.platform == 'linux':
        candidates += [f'{names[0]}.so.1']
    for path in candidates:
        try:
            ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
            return
        except OSError:
            continue
