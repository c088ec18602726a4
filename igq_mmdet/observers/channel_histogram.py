"""Counts of the values of every channel, for one quantizer a channel."""

from typing import ClassVar

import torch
from torch import Tensor

from ..errors import CalibrationError
from .observer import check_finite, unseen


class ChannelHistogram:
    """Every channel has bins of its own between its extremes.

    A bin's width is a power of two and its edges are multiples of it, both
    given by the extremes seen so far. When they widen, bins join whole, so
    that the counts are exact and do not depend on the order of updates.

    Attributes:
        counts (Tensor): (C, BINS), int32, once values were seen.
    """

    BINS: ClassVar[int] = 1 << 11
    # a bin is at least this part of the largest value, which float32 can
    # tell from its neighbour
    FINEST: ClassVar[int] = 22

    def __init__(self, name: str) -> None:
        self.name = name
        self.counts = torch.zeros(0, self.BINS, dtype=torch.int32)
        self._low = self._high = torch.zeros(0)
        self._exponent = torch.zeros(0, dtype=torch.int32)
        self._first = torch.zeros(0, dtype=torch.long)

    def update(self, x: Tensor) -> None:
        """Takes in one instance, (N, C)."""
        if x.numel() == 0:
            return
        low, high = x.amin(0), x.amax(0)
        check_finite(self.name, low, high)
        self._cover(low.cpu().float(), high.cpu().float())
        index = _bins(x.cpu().float(), self._exponent).sub_(self._first)
        index += torch.arange(x.shape[1]) * self.BINS
        fresh = torch.bincount(index.view(-1), minlength=self.counts.numel())
        self.counts += fresh.view(self.counts.shape).to(torch.int32)

    def merge(self, other: 'ChannelHistogram') -> None:
        """Adds the other's counts, exactly."""
        if len(other.counts) == 0:
            return
        self._cover(other._low, other._high)
        self.counts += other._rebinned(self._exponent, self._first)

    def _cover(self, low: Tensor, high: Tensor) -> None:
        """Widens the bins so that they hold these extremes."""
        fresh = len(self.counts) == 0
        if not fresh:
            low = torch.minimum(self._low, low)
            high = torch.maximum(self._high, high)
        # span < 2**span_exponent: it fills half of the bins or less
        span = high - low
        span_exponent = torch.frexp(span).exponent
        span_exponent[span == 0] = -200  # frexp says 0, as of 0.5 to 1
        largest = torch.maximum(low.abs(), high.abs())
        exponent = torch.maximum(
            span_exponent + 2 - self.BINS.bit_length(),
            torch.frexp(largest).exponent - self.FINEST,
        ).clamp(min=-100)
        first = _bins(low[None], exponent)[0]
        if fresh:
            self.counts = self.counts.new_zeros(len(low), self.BINS)
        else:
            self.counts = self._rebinned(exponent, first)
        self._low, self._high = low, high
        self._exponent, self._first = exponent, first

    def _rebinned(self, exponent: Tensor, first: Tensor) -> Tensor:
        """The counts in wider bins, (C, BINS)."""
        shift = (exponent - self._exponent)[:, None]
        place = torch.arange(self.BINS) + self._first[:, None]
        index = (place >> shift) - first[:, None]
        # bins beyond the last are empty before and after
        index.clamp_(0, self.BINS - 1)
        return torch.zeros_like(self.counts).scatter_add_(
            1, index, self.counts
        )

    def values(self) -> tuple[Tensor, Tensor]:
        """Centres of bins, float32, and counts, int32, (C, BINS) each.

        No centre lies outside the extremes of its channel, and the
        outermost filled bins stand for the extremes themselves.
        """
        if len(self.counts) == 0:
            raise CalibrationError(unseen(self.name))
        place = torch.arange(self.BINS) + self._first[:, None]
        width = torch.ldexp(torch.ones_like(self._low), self._exponent)
        centre = ((place + 0.5) * width.double()[:, None]).float()
        last = _bins(self._high[None], self._exponent)[0] - self._first
        centre[:, 0] = self._low
        # where one bin holds everything it stands for the maximum
        centre.scatter_(1, last[:, None], self._high[:, None])
        return centre.clamp_(
            self._low[:, None], self._high[:, None]
        ), self.counts


def _bins(x: Tensor, exponent: Tensor) -> Tensor:
    """``floor(x / 2**exponent)``, (N, C), int64."""
    scale = torch.ldexp(torch.ones_like(x[0]), -exponent)
    return (x * scale).floor_().long()
