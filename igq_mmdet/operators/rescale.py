"""``igq::rescale``: from sums over integers to outputs of a layer."""

import torch
from torch import Tensor

from ..kernels.call import Library
from .definition import nothing, operator, plain


def _in_torch(sums: Tensor, scale: Tensor, bias: Tensor, axis: int) -> None:
    shape = (-1,) + (1,) * (-1 - axis)
    sums.mul_(scale.view(shape)).add_(bias.view(shape))


def _fits(sums: Tensor, scale: Tensor, bias: Tensor, axis: int) -> bool:
    each = (sums.shape[axis],)
    return (
        plain(torch.float32, sums)
        and sums.numel() > 0
        and all(
            x.dtype is torch.float32 and x.shape == each for x in (scale, bias)
        )
    )


def _in_c(
    kernels: Library, sums: Tensor, scale: Tensor, bias: Tensor, axis: int
) -> None:
    channels = len(scale)
    plane = sums.shape[sums.dim() + axis + 1 :].numel()
    kernels.call(
        'rescale',
        sums,
        sums.numel() // (channels * plane),
        channels,
        plane,
        scale.contiguous(),
        bias.contiguous(),
        torch.get_num_threads(),
    )


# sums * scale + bias in place, product and sum rounded apart; the others
# (D,), axis: the dimension of D, counted from the end
rescale = operator(
    'rescale(Tensor(a!) sums, Tensor scale, Tensor bias, int axis) -> ()',
    _in_torch,
    _in_c,
    _fits,
    nothing,
)
