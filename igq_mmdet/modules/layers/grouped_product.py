"""Products whose channels have one of several steps: a sum a group."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...kernels.guard import standard_only
from ...operators.grouped_values import grouped_values
from ...quantizers import (
    ActivationQuantizer,
    dequantize_weight,
    fake_quantize,
    max_code,
)


@torch.no_grad()
def grouped_product(
    values: Tensor,
    counted: Tensor,
    quantizer: ActivationQuantizer,
    weight: tuple[Tensor, Tensor, Tensor],
    bias: Tensor | None,
    out: Tensor,
) -> Tensor:
    """``s_w sum_i s_i (sum_{c in i} (q - z_i) (w - z_w)) + bias``.

    Sums within a group are over integers, which float32 adds up exactly
    below 2^24, and groups follow one another: integer execution of the
    layer gives the same bits. Not so in graphs of torch's operators alone.

    Args:
        values (Tensor): Tokens of images, float32, contiguous, (I, N, K).
        counted (Tensor): Those statistics are taken from, (I, M, K).
        quantizer (ActivationQuantizer): Of the input, in form ``grouped``.
        weight (tuple[Tensor, Tensor, Tensor]): Codes, uint8, (D, K), their
            scale and zero point, (D, 1).
        bias (Tensor, optional): (D,).
        out (Tensor): Where to write, contiguous, (I, N, D).

    Returns:
        Tensor: (I, N, D); callers go on with it, whatever ``out`` is.
    """
    groups = quantizer.assigned(counted)
    if standard_only(values):
        step, zero = (
            x[groups][:, None] for x in (quantizer.scale, quantizer.zero_point)
        )
        values = fake_quantize(values, step, zero, quantizer.bits)
        return F.linear(values, dequantize_weight(*weight), bias)
    codes, scale, zero_point = weight
    if bias is None:
        bias = scale.new_zeros(len(scale))
    grouped_values(
        values,
        groups,
        quantizer.scale,
        quantizer.zero_point,
        codes,
        scale,
        zero_point,
        bias,
        max_code(quantizer.bits),
        out,
    )
    return out
