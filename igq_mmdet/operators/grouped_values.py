"""``igq::grouped_values``: a simulated layer with a step a group."""

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.structs import CodesStruct
from .definition import nothing, operator, plain

ROWS = 1024  # tokens multiplied at a time


def _in_torch(
    x: Tensor,
    groups: Tensor,
    step: Tensor,
    zero_point: Tensor,
    codes: Tensor,
    weight_scale: Tensor,
    weight_zero: Tensor,
    bias: Tensor,
    top: int,
    out: Tensor,
) -> None:
    columns = (codes - weight_zero).T
    for image in zip(x, groups, out, strict=True):
        _sums(*image, step, zero_point, columns, top)
    out.mul_(weight_scale.view(-1)).add_(bias)


def _sums(
    x: Tensor,
    groups: Tensor,
    out: Tensor,
    step: Tensor,
    zero_point: Tensor,
    columns: Tensor,
    top: int,
) -> None:
    parts = [
        (step[group], own, columns[own])
        for group in groups.unique()
        for own in [(groups == group).nonzero()[:, 0]]
    ]
    scale, low = step[groups], -zero_point[groups]
    for block, total in zip(x.split(ROWS), out.split(ROWS), strict=True):
        integers = torch.div(block, scale).round_().clamp_(low, low + top)
        total.zero_()
        for size, own, rows in parts:
            total += (integers[:, own] @ rows).mul_(size)


def _fits(
    x: Tensor,
    groups: Tensor,
    step: Tensor,
    zero_point: Tensor,
    codes: Tensor,
    weight_scale: Tensor,
    weight_zero: Tensor,
    bias: Tensor,
    top: int,
    out: Tensor,
) -> bool:
    outputs, inputs = codes.shape
    column = (outputs, 1)
    return (
        plain(torch.float32, x, out)
        and x.dim() == 3
        and out.shape == (*x.shape[:2], outputs)
        and x.numel() > 0
        and groups.shape == (len(x), inputs)
        and x.shape[2] == inputs
        and groups.dtype is torch.int64
        and codes.dtype is torch.uint8
        and step.dim() == 1
        and step.shape == zero_point.shape
        and weight_scale.shape == weight_zero.shape == column
        and bias.shape == (outputs,)
        and all(
            p.dtype is torch.float32
            for p in (step, zero_point, weight_scale, weight_zero, bias)
        )
    )


def _in_c(
    kernels: Library,
    x: Tensor,
    groups: Tensor,
    step: Tensor,
    zero_point: Tensor,
    codes: Tensor,
    weight_scale: Tensor,
    weight_zero: Tensor,
    bias: Tensor,
    top: int,
    out: Tensor,
) -> None:
    # indexing raises for a group that is not there
    scale, low = step[groups], -zero_point[groups]
    how = (scale, low, low + top, torch.ones_like(scale))
    own = torch.remainder(groups, len(step)).to(torch.int32)
    for image, target in enumerate(out):
        kernels.call(
            'grouped_values',
            x[image],
            x.shape[1],
            CodesStruct(*(address(part[image]) for part in how)),
            own[image],
            len(step),
            codes.contiguous(),
            weight_zero.contiguous(),
            weight_scale.contiguous(),
            bias.contiguous(),
            *reversed(codes.shape),
            target,
            torch.get_num_threads(),
        )


# s_w sum_i s_i (sum_{c in i} (q - z_i) (w - z_w)) + bias of images: x
# (I, N, K), groups (I, K) int64 into step and zero_point (G,), codes (D, K)
# uint8, their scale and zero point (D, 1), bias (D,), out (I, N, D); top is
# the largest code. Sums within a group are exact below 2^24.
grouped_values = operator(
    'grouped_values(Tensor x, Tensor groups, Tensor step, '
    'Tensor zero_point, Tensor codes, Tensor weight_scale, '
    'Tensor weight_zero, Tensor bias, int top, Tensor(a!) out) -> ()',
    _in_torch,
    _in_c,
    _fits,
    nothing,
)
