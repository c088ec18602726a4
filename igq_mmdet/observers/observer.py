"""What an observer is, and what all of them refuse."""

from typing import Any, Protocol

import torch
from torch import Tensor

from ..errors import CalibrationError


class Observer(Protocol):
    """What a quantizer's ``observer`` can do."""

    def update(self, x: Tensor) -> None:
        """Takes in the values of one instance, (N, C)."""

    def merge(self, other: Any) -> None:
        """Takes in what another observer of the same layer saw."""


def check_finite(name: str, low: Tensor, high: Tensor) -> None:
    """Refuses NaN and infinity.

    Args:
        name (str): What the extremes belong to.
        low (Tensor): Minima, any shape.
        high (Tensor): Maxima, same shape.

    Raises:
        CalibrationError: Names the quantizer.
    """
    if not (torch.isfinite(low).all() and torch.isfinite(high).all()):
        raise CalibrationError(
            f'NaN or infinity at {name} during calibration; check the '
            'checkpoint and the calibration images'
        )


def unseen(name: str) -> str:
    """The message for a quantizer without data."""
    return (
        f'{name} saw no data during calibration; use more or other '
        'calibration images, or exclude the layer'
    )
