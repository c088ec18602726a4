"""Groups of channels fixed at calibration (method, section 6)."""

import torch
from torch import Tensor

from .base import ActivationQuantizer
from .uniform import fake_quantize


class FixedGroupQuantizer(ActivationQuantizer):
    """G quantizers; which channel takes which is the same for every image.

    A reference point of the paper's ablations: the same number of groups
    as the instance-aware method, without the instance.

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

    observes = 'channel_means'
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

    def assign(self, x: Tensor) -> Tensor:
        """Groups of the channels, (C,), whatever the values (N, C) are."""
        return self.group_index.long()

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        return fake_quantize(
            x, self.channel_scale, self.channel_zero_point, self.bits, out
        )
