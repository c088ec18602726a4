"""Products of codes in torch alone, exact, and what keeps 32 bits enough."""

from dataclasses import replace

import torch
from torch import Tensor

from ..quantizers import ActivationQuantizer
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
    return quantizer.largest_factor() * weight.largest_sum() < 2**31


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
    total = exact_sums(codes, how, weight)
    return total.float() * (weight.scale * base_scale) + weight.bias


def grouped_product(
    codes: Tensor, how: ChannelCodes, groups: Tensor, weight: IntegerWeight
) -> Tensor:
    """``s_w sum_i s_i (sum_{c in i} (q - z_i) (w - z_w)) + bias``.

    Args:
        codes (Tensor): q as float32, (N, K).
        how (ChannelCodes): Of these K channels.
        groups (Tensor): The group of each channel, (K,).
        weight (IntegerWeight): (D, K).

    Returns:
        Tensor: float32, (N, D); bit for bit what the kernels return.
    """
    total = torch.zeros(len(codes), len(weight.scale))
    for group in groups.unique():
        own = (groups == group).nonzero()[:, 0]
        part = replace(weight, codes=weight.codes[:, own])
        sums = exact_sums(codes[:, own], how.of_channels(own), part)
        total += sums.float() * how.scale[own[0]]
    return total * weight.scale + weight.bias


def exact_sums(
    codes: Tensor, how: ChannelCodes, weight: IntegerWeight
) -> Tensor:
    """``sum_c (m q - m z) (w - z_w)``, int64, (N, D)."""
    step = EXACT // (255 * 128)
    offset = how.offset()
    total = weight.codes.to(torch.int64) @ offset
    floats = weight.codes.float().T
    for start in range(0, codes.shape[1], step):
        part = slice(start, start + step)
        total = total + (codes[:, part] @ floats[part]).to(torch.int64)
    sums = codes.double().sum(1).to(torch.int64) + offset.sum()
    return total - sums[:, None] * weight.zero
