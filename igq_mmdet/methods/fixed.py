"""``consecutive`` and ``sorted``: groups that no image changes (section 6).

Reference points of the paper's ablations: the same number of groups as the
instance-aware method, without the instance. Softmax rows, which are others
in every image, are layer-wise.
"""

from typing import ClassVar

import torch
from torch import Tensor

from ..fitting.kmeans import check_m_step
from ..observers import ChannelMeans
from ..quantizers import ActivationQuantizer, FitSettings, fake_quantize
from .base import METHODS, Method


def fit_fixed(
    means: Tensor,
    extremes: Tensor,
    groups: int,
    by_range: bool,
    m_step: str = 'mean',
) -> tuple[Tensor, Tensor, Tensor]:
    """Cuts channels into groups of equal counts and bounds each group.

    Args:
        means (Tensor): Mean minimum and mean maximum of each channel over
            images, (2, C).
        extremes (Tensor): Least minimum and largest maximum, (2, C).
        groups (int): Number of groups, G, at most C.
        by_range (bool): Cut the channels sorted by their mean
            range, not as they come.
        m_step (str): ``mean`` of the minima and maxima of all (image,
            channel) points of a group, or their ``envelope``. Defaults to
            ``mean``.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Lower and upper bounds, (G,),
        float32, and the group of each channel, (C,).
    """
    check_m_step(m_step)
    low, high = means.double()
    channels = len(low)
    rank = torch.arange(channels)
    if by_range:
        order = torch.argsort(high - low, stable=True)
        rank = torch.empty_like(rank).index_copy_(0, order, rank)
    index = rank * groups // channels
    how = ('mean', 'mean')
    if m_step == 'envelope':
        how, (low, high) = ('amin', 'amax'), extremes.double()
    bounds = [
        low.new_zeros(groups).scatter_reduce(
            0, index, values, reduce, include_self=False
        )
        for values, reduce in zip((low, high), how, strict=True)
    ]
    return bounds[0].float(), bounds[1].float(), index


class FixedGroupQuantizer(ActivationQuantizer):
    """G quantizers; which channel takes which is the same for every image.

    Args:
        bits (int): Width of a code in bits.
        groups (int): Number of groups; more than channels are not kept.
        channels (int): Number of channels, C.
        by_range (bool): Whether groups are cut from the channels sorted by
            range, not from consecutive channels.
        strict_zero_point (bool): See :class:`ActivationQuantizer`.

    Attributes:
        group_index (Tensor): The group of each channel, (C,), int32.
    """

    observes = ChannelMeans
    form = 'grouped'
    batched = True
    group_index: Tensor
    channel_scale: Tensor
    channel_zero_point: Tensor

    def __init__(
        self,
        bits: int,
        groups: int,
        channels: int,
        by_range: bool,
        strict_zero_point: bool = False,
    ) -> None:
        super().__init__(bits, min(groups, channels), strict_zero_point)
        self.by_range = by_range
        self.register_buffer(
            'group_index', torch.zeros(channels, dtype=torch.int32)
        )
        for name in ('channel_scale', 'channel_zero_point'):
            self.register_buffer(name, torch.ones(channels), persistent=False)

    def fit(
        self, observer: ChannelMeans, settings: FitSettings
    ) -> tuple[Tensor, ...]:
        """See :func:`fit_fixed`."""
        return fit_fixed(
            observer.means(),
            observer.extremes(),
            self.groups,
            self.by_range,
            settings.m_step,
        )

    def set_bounds(
        self, lower: Tensor, upper: Tensor, group_index: Tensor | None = None
    ) -> None:
        """Fixes the bounds and the groups of channels.

        Args:
            lower (Tensor): Lower bounds, (G,).
            upper (Tensor): Upper bounds, (G,).
            group_index (Tensor, optional): The group of each channel,
                (C,). Defaults to the one it has.
        """
        if group_index is not None:
            self.group_index.copy_(group_index)
        super().set_bounds(lower, upper)

    def refresh(self) -> None:
        super().refresh()
        index = self.group_index.long()
        self.channel_scale.copy_(self.scale[index])
        self.channel_zero_point.copy_(self.zero_point[index])

    def assign(self, counted: Tensor) -> Tensor:
        """Groups of the channels, (C,), whatever the values (N, C) are."""
        return self.group_index.long().expand(*counted.shape[:-2], -1)

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        return fake_quantize(
            x, self.channel_scale, self.channel_zero_point, self.bits, out
        )


@METHODS.register_module('consecutive')
class Consecutive(Method):
    """Groups of neighbouring channels."""

    grouped = True
    by_range: ClassVar[bool] = False

    def inputs(
        self, bits: int, groups: int, strict: bool, channels: int
    ) -> ActivationQuantizer:
        return FixedGroupQuantizer(
            bits, groups, channels, self.by_range, strict
        )

    def input_operations(
        self, tokens: float, inputs: int, outputs: int, groups: int
    ) -> float:
        """``N D g`` for the sums of groups; nothing is looked for."""
        return tokens * outputs * groups


@METHODS.register_module('sorted')
class Sorted(Consecutive):
    """Groups of channels sorted by their mean range."""

    by_range = True
