"""``igq::conv``: a convolution on integers."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.memory import empty
from ..kernels.structs import CodesStruct, ConvStruct
from ..kernels.weights import (
    distances,
    fit_outputs,
    panels,
    rows_of,
    weights_struct,
)
from .definition import operator, plain

Pair = list[int]


def out_size(
    height: int,
    width: int,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> tuple[int, ...]:
    """Height and width of the output of a convolution.

    Args:
        height (int): Of the input.
        width (int): Likewise.
        kernel (list[int]): Taps, (vertical, horizontal).
        stride (list[int]): Between outputs.
        padding (list[int]): Zeros on either side.
        dilation (list[int]): Between taps.
    """
    return tuple(
        (side + 2 * p - d * (k - 1) - 1) // s + 1
        for side, k, s, p, d in zip(
            (height, width), kernel, stride, padding, dilation, strict=True
        )
    )


def _in_torch(
    x: Tensor,
    how: Tensor,
    codes: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    outputs: int,
    wide: bool,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Tensor:
    scale, low, high, multiple = how
    integers = torch.round(x / scale).clamp(low, high) * multiple
    channels, taps = x.shape[1], kernel[0] * kernel[1]
    wide_rows = channels + -channels % 4
    rows = rows_of(codes, outputs, taps * wide_rows)
    weight = distances(rows, zero[:outputs]).view(outputs, taps, wide_rows)
    weight = weight[..., :channels].transpose(1, 2)
    sums = F.conv2d(
        integers.double(),
        weight.reshape(outputs, channels, *kernel),
        None,
        stride,
        padding,
        dilation,
    )
    factor, bias = (p[:outputs, None, None] for p in (factor, bias))
    return sums.float() * factor + bias


def _fits(
    x: Tensor,
    how: Tensor,
    codes: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    outputs: int,
    wide: bool,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> bool:
    if x.dim() != 4 or codes.dim() != 4:
        return False
    geometry = (kernel, stride, padding, dilation)
    if any(len(pair) != 2 for pair in geometry):
        return False
    if min(*kernel, *stride, *dilation) < 1 or min(padding) < 0:
        return False
    size = codes.shape[2]
    taps = kernel[0] * kernel[1] * -(-x.shape[1] // 4)
    return (
        x.numel() > 0
        and min(out_size(x.shape[2], x.shape[3], *geometry)) > 0
        and x.dtype is torch.float32
        and how.shape == (4, 1)
        and plain(torch.float32, how, factor, bias)
        and plain(torch.int8, codes)
        and size > 0
        and codes.shape == (-(-outputs // size), taps, size, 4)
        and zero.dtype is torch.int32
        and fit_outputs(outputs, zero, factor, bias)
    )


def _in_c(
    kernels: Library,
    x: Tensor,
    how: Tensor,
    codes: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    outputs: int,
    wide: bool,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
) -> Tensor:
    x = x.contiguous()
    images, channels, height, width = x.shape
    geometry = (kernel, stride, padding, dilation)
    size = out_size(height, width, *geometry)
    out = empty(x, images, outputs, *size)
    if codes.shape[2] != kernels.conv_panel:
        # laid out by a machine with other instructions
        rows = rows_of(codes, outputs, codes.shape[1] * 4)
        codes = panels(rows, kernels.conv_panel)
    kernels.call(
        'conv',
        x,
        ConvStruct(
            images,
            height,
            width,
            *size,
            *(side for pair in geometry for side in pair),
        ),
        CodesStruct(*map(address, how)),
        weights_struct(codes, zero, factor, bias, channels, outputs, wide),
        out,
        torch.get_num_threads(),
    )
    return out


def _shapes(x: Tensor, *args: Any) -> Tensor:
    outputs, _, *geometry = args[5:]
    return x.new_empty(
        x.shape[0], outputs, *out_size(x.shape[2], x.shape[3], *geometry)
    )


# as igq::linear for a convolution: x (B, C, H, W), how: scale, low, high and
# multiple, (4, 1); codes int8 from panels() of rows that hold, tap by tap, C
# channels and zeros up to a multiple of 4
conv = operator(
    'conv(Tensor x, Tensor how, Tensor codes, Tensor zero, Tensor factor, '
    'Tensor bias, int outputs, bool wide, int[] kernel, int[] stride, '
    'int[] padding, int[] dilation) -> Tensor',
    _in_torch,
    _in_c,
    _fits,
    _shapes,
)
