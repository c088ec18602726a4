"""Products of codes in torch alone, exact, and what keeps 32 bits enough."""

import torch
from torch import Tensor

from ..quantizers import (
    ActivationQuantizer,
    IntegralGroupQuantizer,
    max_code,
)
from .weights import ChannelCodes, IntegerWeight

# float32 holds every integer up to here, so that sums of codes below it are
# exact whatever the order
EXACT = 1 << 24


def fits_int32(weight: IntegerWeight, quantizer: ActivationQuantizer) -> bool:
    """Whether ``sum_c m (q - z) (w - z_w)`` stays below 2^31 always.

    Kernels compute modulo 2^32, so only this final sum has to fit.

    Args:
        weight (IntegerWeight): The layer's weight.
        quantizer (ActivationQuantizer): Of its input.
    """
    zero = quantizer.zero_point.double()
    top = max_code(quantizer.bits)
    reach = torch.maximum(zero.abs(), (top - zero).abs())
    if isinstance(quantizer, IntegralGroupQuantizer):
        reach = reach * quantizer.multiple.double()
    return int(reach.max()) * weight.largest_sum() < 2**31


def exact_product(
    codes: Tensor,
    how: ChannelCodes,
    weight: IntegerWeight,
    base_scale: Tensor,
) -> Tensor:
    """``s_w s_0 (sum_c (m q - m z) (w - z_w)) + bias``.

    Args:
        codes (Tensor): ``m q`` as float32, (N, K).
        how (ChannelCodes): Of these K channels.
        weight (IntegerWeight): (D, K).
        base_scale (Tensor): s_0, (1,).

    Returns:
        Tensor: float32, (N, D); bit for bit what the kernels return.
    """
    largest = 255 << (weight.bits - 1)
    step = EXACT // largest
    total = torch.zeros(len(codes), len(weight.scale), dtype=torch.int64)
    floats = weight.codes.float()
    for start in range(0, codes.shape[1], step):
        part = slice(start, start + step)
        total += (codes[:, part] @ floats[:, part].T).to(torch.int64)
    offset = (how.low.double() * how.multiple.double()).to(torch.int64)
    total += weight.codes.to(torch.int64) @ offset
    sums = codes.double().sum(1).to(torch.int64) + offset.sum()
    total -= sums[:, None] * weight.zero
    return total.float() * (weight.scale * base_scale) + weight.bias
