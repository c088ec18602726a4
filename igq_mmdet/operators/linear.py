"""``igq::linear``: a layer whose channels share one step, on integers."""

from typing import Any

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.guard import plain
from ..kernels.memory import empty
from ..kernels.structs import CodesStruct
from ..kernels.weights import PANEL, WEIGHT, WeightOperands, rows_of
from .definition import Operator, operator


class Linear(Operator):
    """``(sum_c m (q - z) (w - z_w)) * factor + bias`` of images.

    Args:
        x (Tensor): (I, N, K).
        scale (Tensor): ``m s_0`` of channels of each image or of all, (I, K)
            or (1, K).
        low (Tensor): -z, likewise.
        high (Tensor): ``2^b - 1 - z``, likewise.
        multiple (Tensor): m, likewise.
        *weight: :class:`WeightOperands`, the codes from ``panels``, the
            factor ``s_w s_0``.
    """

    def __init__(
        self,
        x: Tensor,
        scale: Tensor,
        low: Tensor,
        high: Tensor,
        multiple: Tensor,
        *weight: Any,
    ) -> None:
        self.x = x
        self.how = (scale, low, high, multiple)
        self.weight = WeightOperands(*weight)

    def in_torch(self) -> Tensor:
        scale, low, high, multiple = (part[..., None, :] for part in self.how)
        integers = torch.round(self.x / scale).clamp(low, high) * multiple
        weight = self.weight
        rows = rows_of(weight.codes, weight.outputs, self.x.shape[-1])
        return weight.scaled(integers.double() @ weight.distances(rows).T)

    def fits(self) -> bool:
        x, how = self.x, self.how
        images, _, inputs = x.shape if x.dim() == 3 else (0, 0, 0)
        shape = how[0].shape
        return (
            x.numel() > 0
            and x.dtype is torch.float32
            and shape in ((1, inputs), (images, inputs))
            and all(part.shape == shape for part in how)
            and plain(torch.float32, *how)
            and self.weight.fit(-(-inputs // 4), PANEL, 4)
        )

    def in_c(self, kernels: Library) -> Tensor:
        x = self.x.contiguous()
        out = empty(x, *x.shape[:-1], self.weight.outputs)
        struct = self.weight.struct(x.shape[-1])
        for image, target in enumerate(out):
            row = image if len(self.how[0]) > 1 else 0
            kernels.call(
                'linear',
                x[image],
                x.shape[1],
                CodesStruct(*(address(part[row]) for part in self.how)),
                struct,
                target,
                torch.get_num_threads(),
            )
        return out

    def shapes(self) -> Tensor:
        return self.x.new_empty(*self.x.shape[:-1], self.weight.outputs)


linear = operator(
    'linear(Tensor x, Tensor scale, Tensor low, Tensor high, '
    f'Tensor multiple, {WEIGHT}) -> Tensor',
    Linear,
)
