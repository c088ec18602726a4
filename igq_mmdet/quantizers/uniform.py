"""Uniform affine quantization of tensors (method, section 1)."""

import torch
from torch import Tensor

from ..kernels import without_values
from ..operators.column_bounds import column_bounds as bounds_operator
from ..operators.values import values

# Below these spans a range counts as one constant. The relative one keeps
# |zero point| under 2**24, so that float32 holds every code exactly.
MIN_SPAN = 1e-8
MIN_RELATIVE_SPAN = 2.0**-16


def max_code(bits: int) -> int:
    """The largest code of ``bits`` bits."""
    return 2**bits - 1


def qparams(
    lower: Tensor, upper: Tensor, bits: int, strict_zero_point: bool = False
) -> tuple[Tensor, Tensor]:
    """Scale and zero point of a range (method, section 1).

    A range narrower than ``MIN_SPAN`` (or relatively narrower than
    ``MIN_RELATIVE_SPAN``) is a constant ``c``: its scale is ``|c|``, so that
    ``c`` itself is among the values that can be represented.

    Args:
        lower (Tensor): Lower bounds, any shape, float32.
        upper (Tensor): Upper bounds, same shape.
        bits (int): Width of a code in bits.
        strict_zero_point (bool): Clip the zero point to the range of the
            codes. Ranges without 0 are then no longer represented.
            Defaults to False.

    Returns:
        tuple[Tensor, Tensor]: ``scale`` and ``zero_point``, float32, with
        integers in ``zero_point``.
    """
    top = max_code(bits)
    span = upper - lower
    magnitude = torch.maximum(lower.abs(), upper.abs())
    constant = span < torch.clamp(magnitude * MIN_RELATIVE_SPAN, min=MIN_SPAN)
    middle = lower / 2 + upper / 2
    nonzero = middle.abs() > MIN_SPAN
    one = torch.ones_like(span)
    scale = torch.where(
        constant, torch.where(nonzero, middle.abs(), one), span / top
    )
    zero_point = torch.where(
        constant,
        torch.where(nonzero, -torch.sign(middle), one * 0),
        torch.round(-lower / scale),
    )
    if strict_zero_point:
        zero_point = zero_point.clamp(0, top)
    return scale, zero_point


def quantize(
    x: Tensor, scale: Tensor, zero_point: Tensor, bits: int
) -> Tensor:
    """Codes of ``x``: ``clip(round(x / s) + z, 0, 2**b - 1)``.

    Args:
        x (Tensor): Values, any shape.
        scale (Tensor): Scale, broadcastable to ``x``.
        zero_point (Tensor): Zero point, broadcastable to ``x``.
        bits (int): Width of a code in bits.

    Returns:
        Tensor: Codes as floating point integers, shape of ``x``.
    """
    codes = torch.div(x, scale).round_().add_(zero_point)
    return codes.clamp_(0, max_code(bits))


@torch.no_grad()
def fake_quantize(
    x: Tensor,
    scale: Tensor,
    zero_point: Tensor,
    bits: int,
    out: Tensor | None = None,
    multiple: Tensor | None = None,
) -> Tensor:
    """Quantizes and dequantizes: ``s * (q - z)``, block by block.

    Rounding has no gradient, and none is recorded. Where a layer is computed
    :func:`without_values`, ``out`` is left alone, the result a new tensor.

    Args:
        x (Tensor): Values, (N, K).
        scale (Tensor): One scale a column, (K,), or a row, (N, 1), or one
            for all, (1,).
        zero_point (Tensor): Like ``scale``.
        bits (int): Width of a code in bits.
        out (Tensor, optional): Where to write, (N, K); may be ``x``.
            Defaults to a new tensor.
        multiple (Tensor, optional): What ``q - z`` is multiplied by, like
            ``scale``. Defaults to ``scale``.

    Returns:
        Tensor: The quantized values, in ``out`` if there is one; callers
        go on with what is returned.
    """
    low, high = -zero_point, max_code(bits) - zero_point
    step = scale if multiple is None else multiple
    if without_values(x):
        return torch.div(x, scale).round_().clamp_(low, high).mul_(step)
    if out is None:
        out = torch.empty_like(x)
    elif out.shape != x.shape:
        raise ValueError(f'out is {tuple(out.shape)}, x {tuple(x.shape)}')
    values(x, scale, low, high, step, out)
    return out


def column_bounds(x: Tensor) -> tuple[Tensor, Tensor]:
    """Minimum and maximum of each column.

    Args:
        x (Tensor): Values, (N, C) or (I, N, C), N at least 1.

    Returns:
        tuple[Tensor, Tensor]: Minima and maxima, (C,) or (I, C).
    """
    if without_values(x):
        return x.amin(-2), x.amax(-2)
    lower, upper = bounds_operator(x.detach())
    return lower, upper
