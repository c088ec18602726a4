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

from ..errors import KernelError
from .guard import readable, within_storage
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


F32, I32, I64, U8 = torch.float32, torch.int32, torch.int64, torch.uint8
COUNT = int
CODES, WEIGHTS, CONV, WINDOWS, ROWS = (
    CodesStruct,
    WeightsStruct,
    ConvStruct,
    AttentionStruct,
    RowsStruct,
)
# function -> its arguments as csrc/api.h has them: a dtype where it takes
# the address of a tensor
ARGUMENTS: dict[str, tuple[Any, ...]] = {
    'column_bounds': (F32, COUNT, COUNT, F32, F32, COUNT),
    'codes': (F32, COUNT, COUNT, CODES, U8),
    'linear': (F32, COUNT, CODES, WEIGHTS, F32, COUNT),
    'grouped': (F32, COUNT, CODES, I32, COUNT, WEIGHTS, F32, COUNT),
    'conv': (F32, CONV, CODES, WEIGHTS, F32, COUNT),
    'attention': (F32, WINDOWS, F32, COUNT),
    'values': (F32, COUNT, COUNT, CODES, COUNT, F32, COUNT),
    'weight_values': (U8, COUNT, COUNT, F32, F32, F32, COUNT),
    'grouped_values': (
        *(F32, COUNT, CODES, I32, COUNT),
        *(U8, F32, F32, F32, COUNT, COUNT, F32, COUNT),
    ),
    'rescale': (F32, COUNT, COUNT, COUNT, F32, F32, COUNT),
    'softmax_codes': (F32, ROWS, F32, COUNT),
    'window_values': (F32, WINDOWS, COUNT, COUNT, F32, F32, F32, COUNT),
    'window_outputs': (F32, F32, WINDOWS, COUNT, COUNT, F32, COUNT),
}
# the one pointer that may be null: without a scale, q - z is wanted
NULLABLE = ('weight_values', 4)


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

        Tensors live until it returns. A caller that puts addresses into a
        struct must be ``torch.compiler.disable`` as well: compiled code
        frees what it sees no further use of.

        Args:
            function (str): A key of ``ARGUMENTS``.
            *args: What it takes, as listed there.

        Raises:
            KernelError: A tensor that C cannot read. Callers ask
                :func:`runs_here` first and never see it.
        """
        values = [
            self._argument(function, place, kind, value)
            for place, (kind, value) in enumerate(
                zip(ARGUMENTS[function], args, strict=True)
            )
        ]
        getattr(self.handle, f'igq_{function}')(
            ctypes.c_int(self.level), *values
        )

    def _argument(
        self, function: str, place: int, kind: Any, value: Any
    ) -> Any:
        if value is None and (function, place) == NULLABLE:
            return pointer(None)
        if kind is COUNT:
            # a traced size is a tensor
            if type(value) is not int or value < 0:
                raise KernelError(
                    f'igq_{function} takes a count here, got {value!r}'
                )
            return int64(value)
        if isinstance(kind, torch.dtype):
            return pointer(address(value, kind))
        assert type(value) is kind, (function, kind, value)
        return ctypes.byref(value)


def address(
    tensor: Tensor, dtype: torch.dtype = torch.float32, strided: bool = False
) -> int:
    """Where the values of a tensor lie.

    Args:
        tensor (Tensor): Must outlive the address.
        dtype (torch.dtype): What it must hold. Defaults to float32.
        strided (bool): Whether C is told its strides; otherwise values lie
            one after the other. Defaults to False.

    Raises:
        KernelError: There are no such values.
    """
    if (
        not isinstance(tensor, Tensor)
        or not readable(tensor)
        or tensor.dtype is not dtype
        or not (strided or tensor.is_contiguous())
        or not within_storage(tensor)
    ):
        raise KernelError(
            f'compiled kernels read plain, contiguous tensors of {dtype} on '
            f'a CPU, not a {type(tensor).__name__} of '
            f'{getattr(tensor, "dtype", "nothing")} '
            f'{tuple(getattr(tensor, "shape", ()))} on '
            f'{getattr(tensor, "device", "no device")}; run the model in '
            "torch with IGQ_MMDET_ISA='none'"
        )
    return tensor.data_ptr()


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
