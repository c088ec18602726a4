"""``igq``: groups chosen anew for every image (method, sections 2 and 3)."""

from typing import Any

import torch
from torch import Tensor

from ..fitting.expected_error import (
    error_edges,
    expected_error,
    fit_ranges,
)
from ..fitting.kmeans import fit_groups
from ..observers import ChannelRanges, RowMaxima
from ..quantizers import (
    ActivationQuantizer,
    FitSettings,
    column_bounds,
    fake_quantize,
)
from .base import METHODS, Method


def assign_channels(
    lower: Tensor, upper: Tensor, group_lower: Tensor, group_upper: Tensor
) -> Tensor:
    """The group of each channel: ``argmin_i (hi-u_i)^2 + (lo-l_i)^2``.

    Distances are taken in float64, so that ties are true ties; the lowest
    index wins them.

    Args:
        lower (Tensor): Minimum of each channel, (..., C).
        upper (Tensor): Maximum of each channel, (..., C).
        group_lower (Tensor): Lower bounds of the groups, (G,).
        group_upper (Tensor): Upper bounds of the groups, (G,).

    Returns:
        Tensor: Group indices, (..., C), int64.
    """
    low = lower.double()[..., None] - group_lower.double()
    high = upper.double()[..., None] - group_upper.double()
    return high.square_().add_(low.square_()).argmin(-1)


class ChannelGroupQuantizer(ActivationQuantizer):
    """G fixed quantizers; each channel of an instance takes the nearest.

    With ``ranges='fitted'`` it takes that of the least expected error.
    """

    observes = ChannelRanges
    form = 'grouped'
    batched = True

    def fit(
        self, observer: ChannelRanges, settings: FitSettings
    ) -> tuple[Tensor, ...]:
        """k-means over the ranges of all channels of all images."""
        lower, upper, counts = observer.points()
        if self.ranges == 'fitted':
            found = fit_ranges(lower, upper, self.groups, self.bits, counts)
        else:
            found = fit_groups(
                lower, upper, self.groups, counts, settings.m_step
            )
        return found.lower.float(), found.upper.float()

    def assign(self, counted: Tensor) -> Tensor:
        lower, upper = column_bounds(counted)
        if self.ranges == 'fitted':
            groups = self.lower, self.upper
            return expected_error(lower, upper, *groups, self.bits).argmin(-1)
        return assign_channels(lower, upper, self.lower, self.upper)

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        groups = self.assign(counted if counted.numel() else x)
        return fake_quantize(
            x, self.scale[groups], self.zero_point[groups], self.bits, out
        )


def group_edges(group_upper: Tensor) -> tuple[Tensor, Tensor]:
    """What decides the nearest group of a row maximum.

    Args:
        group_upper (Tensor): Upper bounds of the groups, (G,), any order.

    Returns:
        tuple[Tensor, Tensor]: ``order`` (G,), which sorts the groups, and
        ``edges`` (G - 1,): a maximum above ``edges[i]`` lies nearer to
        sorted group ``i + 1`` than to ``i``. Edges are the midpoints,
        rounded down to the dtype of the bounds, which no maximum of that
        dtype can tell from the exact midpoint.
    """
    ascending, order = torch.sort(group_upper, stable=True)
    exact = (ascending[1:].double() + ascending[:-1].double()) / 2
    edges = exact.to(group_upper.dtype)
    below = torch.nextafter(edges, torch.zeros_like(edges))
    return order, torch.where(edges.double() > exact, below, edges)


class RowGroupQuantizer(ActivationQuantizer):
    """G fixed quantizers with l = 0; each row takes the nearest maximum."""

    observes = RowMaxima
    form = 'row_steps'

    def fit(
        self, observer: RowMaxima, settings: FitSettings
    ) -> tuple[Tensor, ...]:
        """k-means over the maxima of all rows."""
        upper, counts = observer.points()
        lower = torch.zeros_like(upper)
        if self.ranges == 'fitted':
            # rows are many: their maxima show how far others reach
            groups = fit_ranges(
                lower, upper, self.groups, self.bits, counts, margin=0.0
            )
            return torch.zeros(self.groups), groups.upper.float()
        groups = fit_groups(lower, upper, self.groups, counts, settings.m_step)
        return groups.lower.float(), groups.upper.float()

    def refresh(self) -> None:
        super().refresh()
        if self.ranges == 'fitted':
            self.order, self.edges = error_edges(self.upper, self.bits)
        else:
            self.order, self.edges = group_edges(self.upper)

    def assign(self, counted: Tensor) -> Tensor:
        """Groups of the rows of an attention map, (R, K) to (R,)."""
        return self.order[torch.bucketize(counted.amax(1), self.edges)]

    def row_steps(self) -> tuple[Tensor, Tensor]:
        return self.edges, self.scale[self.order]

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        groups = self.assign(x)[:, None]
        return fake_quantize(
            x, self.scale[groups], self.zero_point[groups], self.bits, out
        )

    def _apply(self, fn: Any, recurse: bool = True) -> 'RowGroupQuantizer':
        super()._apply(fn, recurse)
        if self.ready:
            self.refresh()
        return self


@METHODS.register_module('igq')
class IGQ(Method):
    """Instance-aware groups of channels and of softmax rows."""

    grouped = True
    fits_ranges = True

    def inputs(
        self, bits: int, groups: int, strict: bool, channels: int
    ) -> ActivationQuantizer:
        return ChannelGroupQuantizer(bits, groups, strict)

    def rows(
        self, bits: int, groups: int, strict: bool
    ) -> ActivationQuantizer:
        return RowGroupQuantizer(bits, groups, strict)

    def input_operations(
        self, tokens: float, inputs: int, outputs: int, groups: int
    ) -> float:
        """``N D g`` for the sums of groups, ``2 N C`` for the ranges of
        channels and ``4 C g`` for their distances to groups.
        """
        sums = tokens * outputs * groups
        return sums + 2 * tokens * inputs + 4 * inputs * groups

    def row_operations(
        self, rows: float, elements: float, groups: int
    ) -> float:
        """Maxima of rows, and ``2 rows g`` for their distances to groups."""
        return elements + 2 * rows * groups
