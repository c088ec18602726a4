"""``igq::grouped``: a layer with a step a group, on integers."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.memory import empty
from ..kernels.structs import CodesStruct
from ..kernels.weights import PANEL, WEIGHT, WeightOperands, channels_of
from .definition import Operator, operator


class Groups(NamedTuple):
    """Which step the channels of images have.

    Args:
        of (Tensor): The group of each channel, int64, (I, K).
        step (Tensor): s, (G,).
        zero_point (Tensor): z, (G,).
        top (int): The largest code.
    """

    of: Tensor
    step: Tensor
    zero_point: Tensor
    top: int

    def fit(self, x: Tensor) -> bool:
        """Whether kernels take images with these groups.

        Args:
            x (Tensor): (I, N, K).
        """
        return (
            x.dim() == 3
            and x.numel() > 0
            and self.of.dtype is torch.int64
            and self.of.shape == (len(x), x.shape[2])
            and self.step.dim() == 1
            and self.step.shape == self.zero_point.shape
            and all(
                part.dtype is torch.float32
                for part in (x, self.step, self.zero_point)
            )
        )

    def images(self) -> Iterator[tuple[CodesStruct, Tensor]]:
        """How channels of each image become codes, and their groups."""
        of = self.of.contiguous()
        # indexing raises for a group that is not there
        scale, low = self.step[of], -self.zero_point[of]
        how = (scale, low, low + self.top, torch.ones_like(scale))
        own = torch.remainder(of, len(self.step)).to(torch.int32)
        for image, groups in enumerate(own):
            yield CodesStruct(*(address(part[image]) for part in how)), groups


class Grouped(Operator):
    """``factor sum_i s_i (sum_{c in i} (q - z_i) (w - z_w)) + bias``.

    Sums within a group are exact.

    Args:
        x (Tensor): Images, (I, N, K).
        groups (Tensor): int64 into ``step`` and ``zero_point``, (I, K).
        step (Tensor): s, (G,).
        zero_point (Tensor): z, (G,).
        top (int): The largest code.
        *weight: :class:`WeightOperands`, the codes from ``channel_panels``,
            the factor s_w.
    """

    def __init__(
        self,
        x: Tensor,
        groups: Tensor,
        step: Tensor,
        zero_point: Tensor,
        top: int,
        *weight: Any,
    ) -> None:
        self.x = x
        self.groups = Groups(groups, step, zero_point, top)
        self.weight = WeightOperands(*weight)

    def in_torch(self) -> Tensor:
        x, weight = self.x, self.weight
        groups, step, zero_point, top = self.groups
        groups = groups[:, None]
        low = -zero_point[groups]
        integers = torch.round(x / step[groups]).clamp(low, low + top).double()
        columns = weight.distances(channels_of(weight.codes, weight.outputs)).T
        total = x.new_zeros(*x.shape[:-1], weight.outputs)
        for group in range(len(step)):
            sums = (integers * (groups == group)) @ columns
            total = total + sums.float() * step[group]
        return weight.scaled(total)

    def fits(self) -> bool:
        return self.groups.fit(self.x) and self.weight.fit(
            self.x.shape[2] + 1, PANEL
        )

    def in_c(self, kernels: Library) -> Tensor:
        images = self.x.contiguous()
        out = empty(images, *images.shape[:-1], self.weight.outputs)
        struct = self.weight.struct(images.shape[-1])
        if not self.weight.zero.any():
            struct.zero = None
        for x, (how, groups), target in zip(
            images, self.groups.images(), out, strict=True
        ):
            kernels.call(
                'grouped',
                x,
                len(x),
                how,
                groups,
                len(self.groups.step),
                struct,
                target,
                torch.get_num_threads(),
            )
        return out

    def shapes(self) -> Tensor:
        return self.x.new_empty(*self.x.shape[:-1], self.weight.outputs)


grouped = operator(
    'grouped(Tensor x, Tensor groups, Tensor step, Tensor zero_point, '
    f'int top, {WEIGHT}) -> Tensor',
    Grouped,
)
