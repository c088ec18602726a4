"""Ranges of channels over all images, for groups that are fixed."""

import torch
from torch import Tensor

from ..errors import CalibrationError
from .observer import check_finite, unseen


class ChannelMeans:
    """Mean and extreme ranges of each channel over all instances.

    Sums are float64: of a few thousand float32 values of like size they
    are exact, so that the order of images does not matter.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._images = 0
        self._sums = torch.zeros(2, 0, dtype=torch.float64)
        self._extremes = torch.zeros(2, 0)

    def update(self, x: Tensor) -> None:
        """Takes in one instance, (N, C)."""
        if x.numel() == 0:
            return
        low, high = x.amin(0), x.amax(0)
        check_finite(self.name, low, high)
        pair = torch.stack([low, high]).float().cpu()
        self._add(1, pair.double(), pair)

    def merge(self, other: 'ChannelMeans') -> None:
        """Adds the other's images."""
        if other._images:
            self._add(other._images, other._sums, other._extremes)

    def _add(self, images: int, sums: Tensor, extremes: Tensor) -> None:
        if self._images:
            sums = self._sums + sums
            extremes = torch.stack(
                [
                    torch.minimum(self._extremes[0], extremes[0]),
                    torch.maximum(self._extremes[1], extremes[1]),
                ]
            )
        self._images += images
        self._sums, self._extremes = sums, extremes

    def means(self) -> Tensor:
        """Mean minimum and mean maximum of each channel, (2, C), float64."""
        if not self._images:
            raise CalibrationError(unseen(self.name))
        return self._sums / self._images

    def extremes(self) -> Tensor:
        """Least minimum and largest maximum, (2, C), float32."""
        if not self._images:
            raise CalibrationError(unseen(self.name))
        return self._extremes
