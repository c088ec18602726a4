"""``upper_bound``: every channel and every row has its own range.

A reference point of the paper's ablations, not a method one can run: the
ranges are those of the instance that is quantized.
"""

import torch
from torch import Tensor

from ..observers import Presence
from ..quantizers import (
    ActivationQuantizer,
    FitSettings,
    column_bounds,
    fake_quantize,
    qparams,
)
from .base import METHODS, Method


class BoundQuantizer(ActivationQuantizer):
    """What has no bounds of its own, and nothing to fit."""

    observes = Presence

    def __init__(self, bits: int, strict_zero_point: bool = False) -> None:
        super().__init__(bits, 0, strict_zero_point)

    def fit(
        self, observer: Presence, settings: FitSettings
    ) -> tuple[Tensor, ...]:
        """Only makes sure that values came by."""
        observer.require()
        return self.lower, self.upper


class ChannelBoundQuantizer(BoundQuantizer):
    """Every channel gets its own range of this instance."""

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        lower, upper = column_bounds(counted if counted.numel() else x)
        scale, zero_point = qparams(
            lower, upper, self.bits, self.strict_zero_point
        )
        return fake_quantize(x, scale, zero_point, self.bits, out)


class RowBoundQuantizer(BoundQuantizer):
    """Every row is quantized by its own maximum."""

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        upper = x.amax(1, keepdim=True)
        scale, zero_point = qparams(torch.zeros_like(upper), upper, self.bits)
        return fake_quantize(x, scale, zero_point, self.bits, out)


@METHODS.register_module('upper_bound')
class UpperBound(Method):
    """The best that groups could do."""

    runnable = False

    def inputs(
        self, bits: int, groups: int, strict: bool, channels: int
    ) -> ActivationQuantizer:
        return ChannelBoundQuantizer(bits, strict)

    def rows(
        self, bits: int, groups: int, strict: bool
    ) -> ActivationQuantizer:
        return RowBoundQuantizer(bits, strict)
