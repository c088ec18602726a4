"""RepQ-ViT (arXiv 2212.08254): fitting its quantizers, folding scales."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ..modules.layers.linear import QuantLinear
from ..observers.channel_histogram import ChannelHistogram
from ..quantizers import (
    FoldedQuantizer,
    fake_quantize,
    fake_quantize_log_sqrt2,
    qparams,
)
from .percentile import order_statistic


def fit_channels(
    histogram: ChannelHistogram,
    bits: int,
    percentiles: Sequence[float],
    strict_zero_point: bool = False,
) -> tuple[Tensor, Tensor]:
    """Chooses the bounds of every channel with the least squared error.

    Args:
        histogram (ChannelHistogram): Of C channels.
        bits (int): Width of a code in bits.
        percentiles (Sequence[float]): Candidates in percent; the first of
            equals wins.
        strict_zero_point (bool): See ``quantizers.qparams``.

    Returns:
        tuple[Tensor, Tensor]: Lower and upper bounds, (C,), float32.
    """
    values, counts = histogram.values()
    below = counts.cumsum(1).double()
    total = below[:, -1:]
    best = torch.full((len(values),), torch.inf, dtype=torch.float64)
    lower, upper = (torch.zeros(len(values)) for _ in range(2))
    for percent in percentiles:
        bounds = []
        for part in (100 - percent, percent):
            rank = (total * (part / 100)).clamp(min=1)
            index = torch.searchsorted(below, rank).clamp(
                max=values.shape[1] - 1
            )
            bounds.append(values.gather(1, index))
        low, high = bounds
        scale, zero_point = qparams(low, high, bits, strict_zero_point)
        error = fake_quantize(values, scale, zero_point, bits).sub_(values)
        loss = (error.square_() * counts).sum(1, dtype=torch.float64)
        better = loss < best
        best = torch.where(better, loss, best)
        lower = torch.where(better, low[:, 0], lower)
        upper = torch.where(better, high[:, 0], upper)
    return lower, upper


def fit_log_sqrt2(
    values: Tensor,
    counts: Tensor,
    bits: int,
    percentiles: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Chooses the scale with the least squared error.

    Args:
        values (Tensor): Distinct values in ascending order, (P,).
        counts (Tensor): How often each occurred, (P,).
        bits (int): Width of a code in bits.
        percentiles (Sequence[float]): Candidates in percent.

    Returns:
        tuple[Tensor, Tensor]: 0 and the scale, (1,), float32.
    """
    below, mass = counts.cumsum(0), counts.double()
    x = values.float()
    best: tuple[float, Tensor] | None = None
    for percent in percentiles:
        scale = order_statistic(values, below, percent)
        if float(scale) <= 0:
            continue
        error = fake_quantize_log_sqrt2(x, scale, bits).sub_(x).double()
        loss = float((error.square_() * mass).sum())
        if best is None or loss < best[0]:
            best = loss, scale
    assert best is not None, 'softmax rows sum to one'
    return torch.zeros_like(best[1]), best[1]


@torch.no_grad()
def fold(
    norm: nn.LayerNorm, layer: QuantLinear, lower: Tensor, upper: Tensor
) -> None:
    """Moves the channels' scales and zero points out of the quantizer.

    With r1 and r2 of :class:`FoldedQuantizer` the LayerNorm becomes
    ``gamma / r1`` and ``(beta + s * r2) / r1``; the layer takes them back
    with ``W * r1`` and ``b - W (s * r2)``: the same function in float.

    Args:
        norm (nn.LayerNorm): Its output is read by ``layer`` only.
        layer (QuantLinear): Not frozen, with a :class:`FoldedQuantizer`.
        lower (Tensor): Lower bounds of the channels, (C,).
        upper (Tensor): Upper bounds of the channels, (C,).
    """
    quantizer, weight = layer.input_quantizer, layer.weight
    assert isinstance(quantizer, FoldedQuantizer)
    assert layer.bias is not None
    r1, shift = quantizer.set_channel_bounds(lower, upper)
    norm.weight.copy_(norm.weight.double() / r1)
    norm.bias.copy_((norm.bias.double() + shift) / r1)
    layer.bias.copy_(layer.bias.double() - weight.double() @ shift)
    weight.copy_(weight.double() * r1)
