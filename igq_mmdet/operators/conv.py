"""``igq::conv``: a convolution on integers."""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.guard import plain
from ..kernels.memory import empty
from ..kernels.structs import CodesStruct, ConvStruct
from ..kernels.weights import WEIGHT, WeightOperands, panels, rows_of
from .definition import Operator, operator

Pair = Sequence[int]


class Geometry(NamedTuple):
    """Which values a convolution multiplies, (vertical, horizontal) each.

    Args:
        kernel (Pair): Taps. Defaults to (1, 1).
        stride (Pair): Between outputs. Defaults to (1, 1).
        padding (Pair): Zeros on either side. Defaults to (0, 0).
        dilation (Pair): Between taps. Defaults to (1, 1).
    """

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    @property
    def possible(self) -> bool:
        """Whether there is such a convolution."""
        return (
            all(len(pair) == 2 for pair in self)
            and min(*self.kernel, *self.stride, *self.dilation) > 0
            and min(self.padding) >= 0
        )

    def out_size(self, x: Tensor) -> tuple[int, ...]:
        """Height and width of the output.

        Args:
            x (Tensor): The input, (B, C, H, W).
        """
        return tuple(
            (side + 2 * p - d * (k - 1) - 1) // s + 1
            for side, k, s, p, d in zip(x.shape[2:], *self, strict=True)
        )


class Conv(Operator):
    """As ``igq::linear`` for a convolution.

    Args:
        x (Tensor): (B, C, H, W).
        how (Tensor): Scale, low, high and multiple, (4, 1).
        *args: :class:`WeightOperands`, the codes from ``panels`` of rows
            that hold, tap by tap, C channels and zeros up to a multiple of
            4; then :class:`Geometry`.
    """

    def __init__(self, x: Tensor, how: Tensor, *args: Any) -> None:
        count = len(WeightOperands._fields)
        self.x = x
        self.how = how
        self.weight = WeightOperands(*args[:count])
        self.geometry = Geometry(*args[count:])

    def in_torch(self) -> Tensor:
        scale, low, high, multiple = self.how
        integers = torch.round(self.x / scale).clamp(low, high) * multiple
        weight = self.weight
        kernel, stride, padding, dilation = self.geometry
        channels, taps = self.x.shape[1], kernel[0] * kernel[1]
        width = channels + -channels % 4
        rows = rows_of(weight.codes, weight.outputs, taps * width)
        rows = weight.distances(rows).view(weight.outputs, taps, width)
        rows = rows[..., :channels].transpose(1, 2)
        rows = rows.reshape(weight.outputs, channels, *kernel)
        sums = F.conv2d(
            integers.double(), rows, None, stride, padding, dilation
        )
        return weight.scaled(sums, (1, 1))

    def fits(self) -> bool:
        x, codes, geometry = self.x, self.weight.codes, self.geometry
        if x.dim() != 4 or codes.dim() != 4 or not geometry.possible:
            return False
        size = codes.shape[2]
        taps = geometry.kernel[0] * geometry.kernel[1] * -(-x.shape[1] // 4)
        return (
            x.numel() > 0
            and min(geometry.out_size(x)) > 0
            and x.dtype is torch.float32
            and self.how.shape == (4, 1)
            and plain(torch.float32, self.how)
            and size > 0
            and self.weight.fit(taps, size, 4)
        )

    def in_c(self, kernels: Library) -> Tensor:
        x, weight = self.x.contiguous(), self.weight
        images, channels, *sides = x.shape
        size = self.geometry.out_size(x)
        out = empty(x, images, weight.outputs, *size)
        if weight.codes.shape[2] != kernels.conv_panel:
            # laid out by a machine with other instructions
            width = weight.codes.shape[1] * 4
            rows = rows_of(weight.codes, weight.outputs, width)
            weight = weight._replace(codes=panels(rows, kernels.conv_panel))
        kernels.call(
            'conv',
            x,
            ConvStruct(images, *sides, *size, *chain(*self.geometry)),
            CodesStruct(*map(address, self.how)),
            weight.struct(channels),
            out,
            torch.get_num_threads(),
        )
        return out

    def shapes(self) -> Tensor:
        return self.x.new_empty(
            self.x.shape[0],
            self.weight.outputs,
            *self.geometry.out_size(self.x),
        )


conv = operator(
    f'conv(Tensor x, Tensor how, {WEIGHT}, int[] kernel, int[] stride, '
    'int[] padding, int[] dilation) -> Tensor',
    Conv,
)
