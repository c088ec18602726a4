"""Minimum and maximum of channels by the compiled kernels."""

import torch
from torch import Tensor

from ..kernels.library import Library
from ..quantizers.uniform import column_bounds


def fast_column_bounds(
    x: Tensor, kernels: Library | None
) -> tuple[Tensor, Tensor]:
    """Minimum and maximum of each column, in one pass where compiled.

    Args:
        x (Tensor): float32, (N, C), N at least 1.
        kernels (Library, optional): What to take it with.

    Returns:
        tuple[Tensor, Tensor]: (C,) each.
    """
    if kernels is None:
        return column_bounds(x)
    x = x.contiguous()
    lower, upper = x.new_empty(2, x.shape[1])
    kernels.call(
        'column_bounds', x, *x.shape, lower, upper, torch.get_num_threads()
    )
    return lower, upper
