"""``igq::linear``: a layer whose channels share one step, on integers."""

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.memory import empty
from ..kernels.structs import CodesStruct
from ..kernels.weights import (
    PANEL,
    distances,
    fit_outputs,
    rows_of,
    weights_struct,
)
from .definition import operator, plain


def _in_torch(
    x: Tensor,
    scale: Tensor,
    low: Tensor,
    high: Tensor,
    multiple: Tensor,
    codes: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    outputs: int,
    wide: bool,
) -> Tensor:
    scale, low, high, multiple = (
        part[..., None, :] for part in (scale, low, high, multiple)
    )
    integers = torch.round(x / scale).clamp(low, high) * multiple
    rows = rows_of(codes, outputs, x.shape[-1])
    sums = integers.double() @ distances(rows, zero[:outputs]).T
    return sums.float() * factor[:outputs] + bias[:outputs]


def _fits(
    x: Tensor,
    scale: Tensor,
    low: Tensor,
    high: Tensor,
    multiple: Tensor,
    codes: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    outputs: int,
    wide: bool,
) -> bool:
    images, _, inputs = x.shape if x.dim() == 3 else (0, 0, 0)
    blocks = (-(-outputs // PANEL), -(-inputs // 4), PANEL, 4)
    return (
        x.numel() > 0
        and x.dtype is torch.float32
        and scale.shape in ((1, inputs), (images, inputs))
        and scale.shape == low.shape == high.shape == multiple.shape
        and plain(torch.float32, scale, low, high, multiple, factor, bias)
        and plain(torch.int8, codes)
        and codes.shape == blocks
        and zero.dtype is torch.int32
        and fit_outputs(outputs, zero, factor, bias)
    )


def _in_c(
    kernels: Library,
    x: Tensor,
    scale: Tensor,
    low: Tensor,
    high: Tensor,
    multiple: Tensor,
    codes: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    outputs: int,
    wide: bool,
) -> Tensor:
    x = x.contiguous()
    out = empty(x, *x.shape[:-1], outputs)
    struct = weights_struct(
        codes, zero, factor, bias, x.shape[-1], outputs, wide
    )
    for image, target in enumerate(out):
        row = image if len(scale) > 1 else 0
        how = (part[row] for part in (scale, low, high, multiple))
        kernels.call(
            'linear',
            x[image],
            x.shape[1],
            CodesStruct(*map(address, how)),
            struct,
            target,
            torch.get_num_threads(),
        )
    return out


def _shapes(x: Tensor, *args: int) -> Tensor:
    return x.new_empty(*x.shape[:-1], args[-2])


# (sum_c m (q - z) (w - z_w)) * factor + bias of images: x (I, N, K), scale
# m s_0, low -z, high 2^b - 1 - z and multiple m one a channel of each image
# or of all, (I, K) or (1, K); codes int8 from panels(), zero int32, factor
# s_w s_0 and bias from padded(), for D outputs; wide: two products of a byte
# and a code can exceed 16 bits
linear = operator(
    'linear(Tensor x, Tensor scale, Tensor low, Tensor high, '
    'Tensor multiple, Tensor codes, Tensor zero, Tensor factor, '
    'Tensor bias, int outputs, bool wide) -> Tensor',
    _in_torch,
    _in_c,
    _fits,
    _shapes,
)
