"""``igq::weight_values``: what the codes of a weight stand for."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernels.call import Library
from ..kernels.guard import plain
from .definition import Operator, operator


@dataclass
class WeightValues(Operator):
    """``scale * (codes - zero_point)``.

    Args:
        codes (Tensor): uint8, (D, K).
        scale (Tensor, optional): (D, 1), 1 without it.
        zero_point (Tensor): (D, 1).
        out (Tensor): Where to write, (D, K).
    """

    codes: Tensor
    scale: Tensor | None
    zero_point: Tensor
    out: Tensor

    def in_torch(self) -> None:
        torch.sub(self.codes, self.zero_point, out=self.out)
        if self.scale is not None:
            self.out.mul_(self.scale)

    def fits(self) -> bool:
        columns = [self.zero_point]
        if self.scale is not None:
            columns.append(self.scale)
        return (
            self.codes.dim() == 2
            and self.codes.dtype is torch.uint8
            and self.out.shape == self.codes.shape
            and plain(torch.float32, self.out)
            and all(
                c.dtype is torch.float32 and c.shape == (len(self.codes), 1)
                for c in columns
            )
        )

    def in_c(self, kernels: Library) -> None:
        scale = self.scale
        kernels.call(
            'weight_values',
            self.codes.contiguous(),
            *self.codes.shape,
            self.zero_point.contiguous(),
            scale if scale is None else scale.contiguous(),
            self.out,
            torch.get_num_threads(),
        )


weight_values = operator(
    'weight_values(Tensor codes, Tensor? scale, Tensor zero_point, '
    'Tensor(a!) out) -> ()',
    WeightValues,
)
