"""Calls of the C functions, with every argument checked."""

import ctypes
import functools
from typing import Any

import torch
from torch import Tensor

from ..errors import KernelError
from .guard import readable, within_storage
from .structs import (
    AttentionStruct,
    CodesStruct,
    ConvStruct,
    RowsStruct,
    WeightsStruct,
    int64,
    pointer,
)

SETS = ('none', 'avx2', 'avx512')
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

    @functools.cached_property
    def conv_panel(self) -> int:
        """Outputs of a tile of a convolution."""
        return int(self.handle.igq_conv_panel(self.level))

    def call(self, function: str, *args: Any) -> None:
        """Calls ``igq_<function>``; integers are 64 bits wide.

        Tensors live until it returns, structs no longer. Only operators
        call it, so that compiled code and graphs see those instead.

        Args:
            function (str): A key of ``ARGUMENTS``.
            *args: What it takes, as listed there.

        Raises:
            KernelError: A tensor that C cannot read. Operators look first
                and never see it.
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
