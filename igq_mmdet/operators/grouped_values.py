"""``igq::grouped_values``: a simulated layer with a step a group."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernels.call import Library
from ..kernels.guard import plain
from .definition import Operator, operator
from .grouped import Groups

ROWS = 1024  # tokens multiplied at a time


@dataclass
class GroupedValues(Operator):
    """``s_w sum_i s_i (sum_{c in i} (q - z_i) (w - z_w)) + bias`` of images.

    Sums within a group are exact below 2^24.

    Args:
        x (Tensor): (I, N, K).
        groups (Tensor): int64 into ``step`` and ``zero_point``, (I, K).
        step (Tensor): s, (G,).
        zero_point (Tensor): z, (G,).
        codes (Tensor): uint8, (D, K).
        weight_scale (Tensor): s_w, (D, 1).
        weight_zero (Tensor): z_w, (D, 1).
        bias (Tensor): (D,).
        top (int): The largest code.
        out (Tensor): Where to write, (I, N, D).
    """

    x: Tensor
    groups: Tensor
    step: Tensor
    zero_point: Tensor
    codes: Tensor
    weight_scale: Tensor
    weight_zero: Tensor
    bias: Tensor
    top: int
    out: Tensor

    def in_torch(self) -> None:
        columns = (self.codes - self.weight_zero).T
        for image in zip(self.x, self.groups, self.out, strict=True):
            self._sums(*image, columns)
        self.out.mul_(self.weight_scale.view(-1)).add_(self.bias)

    def _sums(
        self, x: Tensor, groups: Tensor, out: Tensor, columns: Tensor
    ) -> None:
        parts = [
            (self.step[group], own, columns[own])
            for group in groups.unique()
            for own in [(groups == group).nonzero()[:, 0]]
        ]
        scale, low = self.step[groups], -self.zero_point[groups]
        high = low + self.top
        for block, total in zip(x.split(ROWS), out.split(ROWS), strict=True):
            integers = torch.div(block, scale).round_().clamp_(low, high)
            total.zero_()
            for size, own, rows in parts:
                total += (integers[:, own] @ rows).mul_(size)

    def _groups(self) -> Groups:
        return Groups(self.groups, self.step, self.zero_point, self.top)

    def fits(self) -> bool:
        outputs, inputs = self.codes.shape
        columns = (self.weight_scale, self.weight_zero)
        return (
            self._groups().fit(self.x)
            and self.x.shape[2] == inputs
            and plain(torch.float32, self.x, self.out)
            and self.out.shape == (*self.x.shape[:2], outputs)
            and self.codes.dtype is torch.uint8
            and all(column.shape == (outputs, 1) for column in columns)
            and self.bias.shape == (outputs,)
            and all(p.dtype is torch.float32 for p in (*columns, self.bias))
        )

    def in_c(self, kernels: Library) -> None:
        codes, zero, scale, bias = (
            part.contiguous()
            for part in (
                self.codes,
                self.weight_zero,
                self.weight_scale,
                self.bias,
            )
        )
        for x, (how, groups), target in zip(
            self.x, self._groups().images(), self.out, strict=True
        ):
            kernels.call(
                'grouped_values',
                x,
                len(x),
                how,
                groups,
                len(self.step),
                codes,
                zero,
                scale,
                bias,
                *reversed(codes.shape),
                target,
                torch.get_num_threads(),
            )


grouped_values = operator(
    'grouped_values(Tensor x, Tensor groups, Tensor step, '
    'Tensor zero_point, Tensor codes, Tensor weight_scale, '
    'Tensor weight_zero, Tensor bias, int top, Tensor(a!) out) -> ()',
    GroupedValues,
)
