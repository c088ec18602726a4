"""Statistics of float activations, collected while a model runs.

Each class declares what it keeps; :meth:`merge` combines two exactly, so
that the order of images, or their spread over processes, does not matter.
What is kept has a bound that the number of images does not move.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor

from ..errors import CalibrationError
from .observer import check_finite, unseen


class Presence:
    """Only that values were seen, for quantizers without bounds."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._seen = False

    def update(self, x: Tensor) -> None:
        """Checks the values, (N, C)."""
        if x.numel():
            check_finite(self.name, x.amin(), x.amax())
            self._seen = True

    def merge(self, other: 'Presence') -> None:
        """Combines what was seen."""
        self._seen |= other._seen

    def require(self) -> None:
        """Raises CalibrationError unless values were seen."""
        if not self._seen:
            raise CalibrationError(unseen(self.name))


class RowMaxima:
    """The maximum of every softmax row, with how often it occurred.

    Maxima are rounded to ``MANTISSA`` bits, which bounds the memory by a
    few thousand distinct values whatever the number of images.
    """

    MANTISSA: ClassVar[int] = 10

    def __init__(self, name: str) -> None:
        self.name = name
        self._values = torch.zeros(0)
        self._counts = torch.zeros(0, dtype=torch.long)

    def update(self, x: Tensor) -> None:
        """Takes in rows, (R, K)."""
        if x.numel() == 0:
            return
        maxima = x.amax(1)
        check_finite(self.name, maxima.amin(), maxima.amax())
        mantissa, exponent = torch.frexp(maxima.cpu())
        steps = 2.0 ** (self.MANTISSA + 1)
        rounded = torch.ldexp(torch.round(mantissa * steps) / steps, exponent)
        self._add(*rounded.unique(return_counts=True))

    def merge(self, other: 'RowMaxima') -> None:
        """Adds the other's counts."""
        self._add(other._values, other._counts)

    def _add(self, values: Tensor, counts: Tensor) -> None:
        every = torch.cat([self._values, values])
        weight = torch.cat([self._counts, counts])
        self._values, index = every.unique(return_inverse=True)
        self._counts = weight.new_zeros(len(self._values)).index_add_(
            0, index, weight
        )

    def points(self) -> tuple[Tensor, Tensor]:
        """Distinct maxima and their counts, (P,) each."""
        if len(self._values) == 0:
            raise CalibrationError(unseen(self.name))
        return self._values, self._counts


class Histogram:
    """Counts of values in bins whose width is a power of two.

    When a value lies outside, the width doubles and pairs of bins join,
    so the counts are exact and do not depend on the order of updates.
    Extremes are kept exactly.
    """

    BINS: ClassVar[int] = 1 << 14  # even: half below 0, half above

    def __init__(self, name: str) -> None:
        self.name = name
        self.minimum = math.inf
        self.maximum = -math.inf
        self.exponent: int | None = None
        self.counts = torch.zeros(self.BINS, dtype=torch.long)

    def update(self, x: Tensor) -> None:
        """Takes in values of any shape."""
        if x.numel() == 0:
            return
        low, high = x.amin(), x.amax()
        check_finite(self.name, low, high)
        self.minimum = min(self.minimum, float(low))
        self.maximum = max(self.maximum, float(high))
        self._widen(max(-float(low), float(high)))
        assert self.exponent is not None
        scaled = x.reshape(-1).float() * 2.0**-self.exponent
        index = scaled.floor_().add_(self.BINS // 2).to(torch.int32)
        self.counts += torch.bincount(
            index.clamp_(0, self.BINS - 1), minlength=self.BINS
        ).cpu()

    def _widen(self, magnitude: float) -> None:
        needed = -100
        if magnitude > 0:
            # strictly inside: |x| / width < BINS / 2
            needed = math.frexp(magnitude)[1] - (self.BINS // 2).bit_length()
            needed = max(needed + 1, -100)
        if self.exponent is None:
            self.exponent = needed
        while self.exponent < needed:
            self.exponent += 1
            half = self.counts.view(-1, 2).sum(1)
            self.counts = torch.zeros_like(self.counts)
            start = self.BINS // 4
            self.counts[start : start + len(half)] = half

    def merge(self, other: 'Histogram') -> None:
        """Adds the other's counts, exactly."""
        if other.exponent is None:
            return
        if self.exponent is None:
            self.exponent = other.exponent
        finest = Histogram(self.name)
        finest.exponent, finest.counts = other.exponent, other.counts.clone()
        target = max(self.exponent, other.exponent)
        half = self.BINS // 2
        for side in (self, finest):
            side._widen(math.ldexp(half - 1, target))
        self.counts = self.counts + finest.counts
        self.minimum = min(self.minimum, other.minimum)
        self.maximum = max(self.maximum, other.maximum)

    def values(self) -> tuple[Tensor, Tensor]:
        """Centres of the filled bins and their counts, (P,) each.

        The smallest and the largest value stand for themselves, so that
        the 100th percentile is exact.
        """
        if self.exponent is None:
            raise CalibrationError(unseen(self.name))
        filled = self.counts.nonzero()[:, 0]
        centre = (filled.double() - self.BINS // 2 + 0.5) * 2.0**self.exponent
        counts = self.counts[filled]
        counts[0] -= 1
        counts[-1] -= 1
        if self.minimum == self.maximum:
            return centre.new_tensor([self.minimum]), self.counts[filled]
        ends = centre.new_tensor([self.minimum, self.maximum])
        centre = torch.cat(
            [ends[:1], centre.clamp(self.minimum, self.maximum), ends[1:]]
        )
        one = counts.new_ones(1)
        counts = torch.cat([one, counts, one])
        return centre[counts > 0], counts[counts > 0]
