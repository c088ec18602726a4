"""Bounds of static quantizers: the best percentile (method, section 1)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..quantizers import fake_quantize, qparams


def fit_static(
    values: Tensor,
    counts: Tensor,
    bits: int,
    percentiles: Sequence[float],
    nonnegative: bool = False,
    strict_zero_point: bool = False,
) -> tuple[Tensor, Tensor]:
    """Chooses the bounds with the least squared error.

    Args:
        values (Tensor): Distinct values in ascending order, (P,).
        counts (Tensor): How often each occurred, (P,).
        bits (int): Width of a code in bits.
        percentiles (Sequence[float]): Candidates in percent.
        nonnegative (bool): Fix the lower bound at 0. Defaults to False.
        strict_zero_point (bool): See ``quantizers.qparams``.

    Returns:
        tuple[Tensor, Tensor]: Lower and upper bound, (1,) each, float32.
        The first of equals wins.
    """
    below = counts.cumsum(0)
    rows = values.float()[:, None]
    mass = counts.double()
    best: tuple[float, Tensor, Tensor] | None = None
    for percent in percentiles:
        lower = order_statistic(values, below, 100 - percent)
        upper = order_statistic(values, below, percent)
        if nonnegative:
            lower = torch.zeros_like(lower)
        scale, zero_point = qparams(lower, upper, bits, strict_zero_point)
        error = fake_quantize(rows, scale, zero_point, bits) - rows
        loss = float((error[:, 0].double().square() * mass).sum())
        if best is None or loss < best[0]:
            best = loss, lower, upper
    assert best is not None
    return best[1], best[2]


def order_statistic(values: Tensor, below: Tensor, percent: float) -> Tensor:
    """The smallest value with at least ``percent`` of all at or below.

    Args:
        values (Tensor): Distinct values in ascending order, (P,).
        below (Tensor): How many values are at or below each, (P,).
        percent (float): From 0 to 100.

    Returns:
        Tensor: (1,), float32.
    """
    rank = max(percent / 100 * float(below[-1]), 1.0)
    index = int(torch.searchsorted(below.double(), rank))
    return values[min(index, len(values) - 1)].float().reshape(1)
