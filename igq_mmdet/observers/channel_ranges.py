"""Ranges of channels, kept in bounded memory however many images come."""

from typing import ClassVar

import torch
from torch import Tensor

from ..errors import CalibrationError
from .observer import check_finite, unseen


class ChannelRanges:
    """The (minimum, maximum) of every channel of every instance.

    Up to ``LIMIT`` points are kept as they are. More are counted in square
    cells of the plane, whose width is the smallest power of two that leaves
    ``LIMIT`` cells or fewer. Cells join whole when the width doubles, so
    neither the order of images nor their spread over processes matters.
    """

    LIMIT: ClassVar[int] = 1 << 15
    # a cell is at least this part of the largest value wide: finer is not
    # told apart by float32
    FINEST: ClassVar[int] = 24

    def __init__(self, name: str) -> None:
        self.name = name
        self._points: list[Tensor] = []  # (2, C) each
        self._exponent: int | None = None  # of a cell's width
        self._cells = torch.zeros(0, dtype=torch.long)
        self._counts = torch.zeros(0, dtype=torch.long)

    def update(self, x: Tensor) -> None:
        """Takes in one instance, (N, C)."""
        if x.numel() == 0:
            return
        low, high = x.amin(0), x.amax(0)
        check_finite(self.name, low, high)
        self._points.append(torch.stack([low, high]).cpu())
        self._bound()

    def merge(self, other: 'ChannelRanges') -> None:
        """Adds the other's points."""
        self._points += other._points
        if other._exponent is not None:
            self._count(other._exponent, other._cells, other._counts)
        self._bound()

    def points(self) -> tuple[Tensor, Tensor, Tensor]:
        """Minima, maxima and how often each pair occurred, (P,) each.

        The first two are of the values' type, or float32 centres of cells
        where there are cells; counts are int64.
        """
        if self._exponent is not None:
            index = torch.stack(_unpack(self._cells)).double() + 0.5
            low, high = (index * 2.0**self._exponent).float()
            return low, high, self._counts
        if not self._points:
            raise CalibrationError(unseen(self.name))
        low, high = torch.cat(self._points, 1)
        return low, high, torch.ones(len(low), dtype=torch.long)

    def _bound(self) -> None:
        """Counts the points in cells where they are too many."""
        total = sum(pair.shape[1] for pair in self._points)
        if self._exponent is None and total <= self.LIMIT:
            return
        for pair in self._points:
            largest = float(pair.abs().amax())
            exponent = -200
            if largest > 0:
                exponent = int(torch.frexp(torch.tensor(largest)).exponent)
                exponent -= self.FINEST
            if self._exponent is not None:
                exponent = max(exponent, self._exponent)
            index = torch.floor(pair.double() * 2.0**-exponent).long()
            cells = _pack(index[0], index[1])
            self._count(exponent, cells, torch.ones_like(cells))
        self._points = []

    def _count(self, exponent: int, cells: Tensor, counts: Tensor) -> None:
        """Adds counts of cells, and widens the cells as far as needed."""
        if self._exponent is None:
            self._exponent = exponent
        wide = max(exponent, self._exponent)
        every = torch.cat(
            [
                _coarser(self._cells, wide - self._exponent),
                _coarser(cells, wide - exponent),
            ]
        )
        weight = torch.cat([self._counts, counts])
        while True:
            found, place = every.unique(return_inverse=True)
            weight = weight.new_zeros(len(found)).index_add_(0, place, weight)
            if len(found) <= self.LIMIT:
                break
            every, wide = _coarser(found, 1), wide + 1
        self._exponent, self._cells, self._counts = wide, found, weight


_SHIFT = 32  # bits of the index of a maximum; FINEST leaves room


def _pack(low: Tensor, high: Tensor) -> Tensor:
    return (low << _SHIFT) + high


def _unpack(cells: Tensor) -> tuple[Tensor, Tensor]:
    high = ((cells & 0xFFFFFFFF) ^ 0x80000000) - 0x80000000  # its sign
    return (cells - high) >> _SHIFT, high


def _coarser(cells: Tensor, doublings: int) -> Tensor:
    if doublings == 0:
        return cells
    low, high = _unpack(cells)
    doublings = min(doublings, 63)
    return _pack(low >> doublings, high >> doublings)
