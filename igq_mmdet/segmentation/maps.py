"""Maps as they are judged: at the mask's size, from 0 to 1."""

import torch
import torch.nn.functional as F
from torch import Tensor

CODES = 65535  # 16 bits: what a map is kept with


def map_codes(values: Tensor) -> Tensor:
    """A map as whole numbers, by its own minimum and maximum.

    What judges is scaled alike once more after resizing, which undoes any
    scaling before it: nothing but the rounding is lost. What is judged is
    then what a file keeps.

    Args:
        values (Tensor): (h, w), finite.

    Returns:
        Tensor: (h, w), int32, 0 to 65535; a constant map stays what it was
        if it lies within 0 and 1.
    """
    return (scaled(values.double()) * CODES).round().to(torch.int32)


def at_size(codes: Tensor, size: tuple[int, int]) -> Tensor:
    """A map at the size of its mask, from 0 to 1.

    Args:
        codes (Tensor): (h, w), from :func:`map_codes`.
        size (tuple[int, int]): Height and width of the mask.

    Returns:
        Tensor: float64, (height, width).
    """
    values = codes.double()[None, None] / CODES
    if codes.min() == codes.max():  # rounding while resizing would be scaled
        return torch.full(size, float(values[0, 0, 0, 0]), dtype=values.dtype)
    if values.shape[-2:] != size:
        values = F.interpolate(
            values, size, mode='bilinear', align_corners=False
        )
    return scaled(values[0, 0]).clamp_(0, 1)


def scaled(values: Tensor) -> Tensor:
    """Shifts and scales a map to 0 and 1.

    Args:
        values (Tensor): (h, w), float.

    Returns:
        Tensor: (h, w); a constant map is only clamped.
    """
    low, high = values.aminmax()
    if low == high:
        return values.clamp(0, 1)
    return (values - low) / (high - low)
