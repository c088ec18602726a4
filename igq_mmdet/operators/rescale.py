"""``igq::rescale``: from sums over integers to outputs of a layer."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernels.call import Library
from ..kernels.guard import plain
from .definition import Operator, operator


@dataclass
class Rescale(Operator):
    """``sums * scale + bias`` in place, product and sum rounded apart.

    Args:
        sums (Tensor): (..., D, ...).
        scale (Tensor): (D,).
        bias (Tensor): (D,).
        axis (int): The dimension of D, counted from the end.
    """

    sums: Tensor
    scale: Tensor
    bias: Tensor
    axis: int

    def in_torch(self) -> None:
        shape = (-1,) + (1,) * (-1 - self.axis)
        self.sums.mul_(self.scale.view(shape)).add_(self.bias.view(shape))

    def fits(self) -> bool:
        each = (self.sums.shape[self.axis],)
        return (
            plain(torch.float32, self.sums)
            and self.sums.numel() > 0
            and all(
                x.dtype is torch.float32 and x.shape == each
                for x in (self.scale, self.bias)
            )
        )

    def in_c(self, kernels: Library) -> None:
        sums, channels = self.sums, len(self.scale)
        plane = sums.shape[sums.dim() + self.axis + 1 :].numel()
        kernels.call(
            'rescale',
            sums,
            sums.numel() // (channels * plane),
            channels,
            plane,
            self.scale.contiguous(),
            self.bias.contiguous(),
            torch.get_num_threads(),
        )


rescale = operator(
    'rescale(Tensor(a!) sums, Tensor scale, Tensor bias, int axis) -> ()',
    Rescale,
)
