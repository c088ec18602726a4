"""``igq::grouped``: a layer with a step a group, on integers."""

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.memory import empty
from ..kernels.structs import CodesStruct
from ..kernels.weights import (
    PANEL,
    channels_of,
    distances,
    fit_outputs,
    weights_struct,
)
from .definition import operator, plain


def _in_torch(
    x: Tensor,
    groups: Tensor,
    step: Tensor,
    zero_point: Tensor,
    top: int,
    codes: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    outputs: int,
    wide: bool,
) -> Tensor:
    groups = groups[:, None]
    low = -zero_point[groups]
    integers = torch.round(x / step[groups]).clamp(low, low + top).double()
    weight = distances(channels_of(codes, outputs), zero[:outputs]).T
    total = x.new_zeros(*x.shape[:-1], outputs)
    for group in range(len(step)):
        sums = (integers * (groups == group)) @ weight
        total = total + sums.float() * step[group]
    return total * factor[:outputs] + bias[:outputs]


def _fits(
    x: Tensor,
    groups: Tensor,
    step: Tensor,
    zero_point: Tensor,
    top: int,
    codes: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    outputs: int,
    wide: bool,
) -> bool:
    images, _, inputs = x.shape if x.dim() == 3 else (0, 0, 0)
    return (
        x.numel() > 0
        and x.dtype is torch.float32
        and groups.dtype is torch.int64
        and groups.shape == (images, inputs)
        and step.dim() == 1
        and step.shape == zero_point.shape
        and plain(torch.float32, step, zero_point, factor, bias)
        and plain(torch.int8, codes)
        and codes.shape == (-(-outputs // PANEL), inputs + 1, PANEL)
        and zero.dtype is torch.int32
        and fit_outputs(outputs, zero, factor, bias)
    )


def _in_c(
    kernels: Library,
    x: Tensor,
    groups: Tensor,
    step: Tensor,
    zero_point: Tensor,
    top: int,
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
    if not zero.any():
        struct.zero = None
    # indexing raises for a group that is not there
    scale, low = step[groups], -zero_point[groups]
    own = torch.remainder(groups, len(step)).to(torch.int32)
    how = (scale, low, low + top, torch.ones_like(scale))
    for image, target in enumerate(out):
        kernels.call(
            'grouped',
            x[image],
            x.shape[1],
            CodesStruct(*(address(part[image]) for part in how)),
            own[image],
            len(step),
            struct,
            target,
            torch.get_num_threads(),
        )
    return out


def _shapes(x: Tensor, *args: int) -> Tensor:
    return x.new_empty(*x.shape[:-1], args[-2])


# factor sum_i s_i (sum_{c in i} (q - z_i) (w - z_w)) + bias of images, sums
# within a group exact: x (I, N, K), groups int64, (I, K), into step and
# zero_point, (G,), top the largest code; codes int8 from channel_panels(),
# the rest as igq::linear has it
grouped = operator(
    'grouped(Tensor x, Tensor groups, Tensor step, Tensor zero_point, '
    'int top, Tensor codes, Tensor zero, Tensor factor, Tensor bias, '
    'int outputs, bool wide) -> Tensor',
    _in_torch,
    _in_c,
    _fits,
    _shapes,
)
