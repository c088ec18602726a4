"""Weights: one quantizer per output channel (method, section 1)."""

from collections.abc import Sequence

import torch
from torch import Tensor

from ..kernels import without_values
from ..operators.weight_values import weight_values
from .uniform import fake_quantize, qparams, quantize


def percentile_bounds(weight: Tensor, percent: float) -> tuple[Tensor, Tensor]:
    """The ``percent``-th and ``100 - percent``-th percentile of each row.

    Linear interpolation between order statistics, as ``torch.quantile``
    does, but without its limit of 2**24 elements.

    Args:
        weight (Tensor): One row an output channel, (D, K).
        percent (float): Between 0 and 50, in percent.

    Returns:
        tuple[Tensor, Tensor]: Lower and upper bounds, (D,).
    """
    width = weight.shape[1]
    position = percent / 100 * (width - 1)
    below = int(position)
    part = position - below
    count = min(below + 2, width)
    low = weight.topk(count, dim=1, largest=False).values
    high = weight.topk(count, dim=1).values
    nxt = min(below + 1, width - 1)
    # float64, so that the bounds do not hang on how a machine rounds
    return (
        torch.lerp(low[:, below].double(), low[:, nxt].double(), part).to(
            weight.dtype
        ),
        torch.lerp(high[:, below].double(), high[:, nxt].double(), part).to(
            weight.dtype
        ),
    )


def percentile_qparams(
    weight: Tensor, percent: float, bits: int, strict_zero_point: bool
) -> tuple[Tensor, Tensor]:
    """Scale and zero point by :func:`percentile_bounds`, (D, 1) each.

    Args:
        weight (Tensor): One row an output channel, (D, K).
        percent (float): In percent.
        bits (int): Width of a code in bits.
        strict_zero_point (bool): See :func:`qparams`.
    """
    lower, upper = percentile_bounds(weight, percent)
    return qparams(lower[:, None], upper[:, None], bits, strict_zero_point)


def least(loss: Tensor, scope: str) -> tuple[Tensor, Tensor]:
    """Which candidate has the least loss; the first of equals wins.

    Args:
        loss (Tensor): Of P candidates and D output channels, (P, D).
        scope (str): See :func:`quantize_weight`.

    Returns:
        tuple[Tensor, Tensor]: Indices of candidates and of channels, (D,)
        each.
    """
    if scope == 'layer':
        loss = loss.sum(1, keepdim=True).expand_as(loss)
    best = loss.argmin(0)
    return best, torch.arange(len(best), device=best.device)


def quantize_weight(
    weight: Tensor,
    bits: int,
    percentiles: Sequence[float],
    strict_zero_point: bool = False,
    scope: str = 'channel',
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Codes of a weight; percentiles are chosen by squared error.

    Args:
        weight (Tensor): One row an output channel, (D, K), float32.
        bits (int): Width of a code in bits.
        percentiles (Sequence[float]): Candidates in percent; the first of
            equals wins.
        strict_zero_point (bool): See :func:`qparams`. Defaults to False.
        scope (str): Choose for each ``channel``, or one for the ``layer``.
            Defaults to ``channel``.

    Returns:
        tuple: ``codes`` (D, K) uint8, ``scale`` (D, 1) float32,
        ``zero_point`` (D, 1) float32, and the chosen percentiles, (D,).
    """
    if not percentiles:
        raise ValueError('percentiles is empty; give at least one')
    losses, pairs = [], []
    for percent in percentiles:
        scale, zero_point = percentile_qparams(
            weight, percent, bits, strict_zero_point
        )
        error = fake_quantize(weight, scale, zero_point, bits)
        error.sub_(weight).square_()
        losses.append(error.sum(1, dtype=torch.float64))
        pairs.append(torch.cat([scale, zero_point], 1))
    best, rows = least(torch.stack(losses), scope)
    chosen = torch.stack(pairs)[best, rows]
    scale, zero_point = chosen[:, :1].clone(), chosen[:, 1:].clone()
    codes = quantize(weight, scale, zero_point, bits).to(torch.uint8)
    return codes, scale, zero_point, torch.tensor(percentiles)[best.cpu()]


def dequantize_weight(
    codes: Tensor,
    scale: Tensor | None,
    zero_point: Tensor,
    out: Tensor | None = None,
) -> Tensor:
    """``s * (q - z)`` of one weight.

    Args:
        codes (Tensor): (D, K), uint8.
        scale (Tensor, optional): (D, 1), float32. Without it ``q - z``.
        zero_point (Tensor): (D, 1), float32.
        out (Tensor, optional): Where to write, (D, K). Defaults to a new
            tensor.

    Returns:
        Tensor: (D, K), dtype of ``zero_point``.
    """
    if without_values(codes):
        rows = codes - zero_point
        return rows if scale is None else rows * scale
    if out is None:
        out = zero_point.new_empty(codes.shape)
    elif out.shape != codes.shape:
        raise ValueError(f'out is {tuple(out.shape)}, not the codes')
    with torch.no_grad():
        weight_values(codes, scale, zero_point, out)
    return out
