"""Simulated attention inside windows, some windows at a time.

Integers in float32 are multiplied by torch; what surrounds the products is
one pass of a kernel each, over values that are still in the cache.
"""

from typing import Any

import torch
from torch import Tensor

from ...kernels.memory import empty
from ...methods import StaticQuantizer
from ...operators.windows import window_outputs, window_values
from ...quantizers import max_code, softmax_codes
from .attention import QuantProducts
from .window_attention import QuantWindowMSA

BLOCK = 1 << 19  # values of the windows taken at a time


@torch.no_grad()
def attend_windows(
    attention: QuantWindowMSA,
    qkv: Tensor,
    gather: Tensor,
    mask: Tensor | None,
    tokens: int,
) -> Tensor:
    """Attention of whole images, bit for bit what ``attend`` gives.

    Args:
        attention (QuantWindowMSA): For which ``on_grid`` holds.
        qkv (Tensor): Q, K and V of all tokens in float, (B, L or L + 1,
            3 * C).
        gather (Tensor): Row of each window position, (nW * N,).
        mask (Tensor, optional): Added to the scores, (nW, N, N).
        tokens (int): L.

    Returns:
        Tensor: (B, L, C).
    """
    qkv = qkv.contiguous()
    images, _, width = qkv.shape
    heads, channels = attention.num_heads, width // 3
    window: Any = attention.window_size
    length = window[0] * window[1]
    depth, windows = channels // heads, len(gather) // length
    how = window_codes(attention)
    bias = attention.position_bias(length).contiguous()
    factor = attention.score_factor(attention.scale)
    step = attention.v_quantizer.scale
    out = empty(qkv, images, tokens, channels)
    each = heads * length * (3 * depth + length)
    most = min(windows, max(1, BLOCK // each))
    query, key, value = qkv.new_empty(3, most * heads, length, depth)
    scores = qkv.new_empty(most, heads, length, length)
    for image, target in zip(qkv, out, strict=True):
        for first in range(0, windows, most):
            count = min(most, windows - first)
            q, k, v = (x[: count * heads] for x in (query, key, value))
            own = scores[:count]
            rows = gather[first * length : (first + count) * length]
            window_values(image, rows, how, q, k, v)
            flat = own.view(-1, length, length)
            torch.bmm(q, k.transpose(1, 2), out=flat)
            part = None
            if mask is not None:
                part = mask[first : first + count, None]
            steps = softmax_codes(
                own, factor, attention.softmax_quantizer, bias, part
            )
            torch.bmm(flat, v, out=q)
            window_outputs(q, steps, rows, step, target)
    return out


def window_codes(attention: QuantProducts) -> Tensor:
    """How Q, K and V become codes: scale, -z, 2^b - 1 - z, (3, 3)."""

    def codes(quantizer: StaticQuantizer) -> Tensor:
        low = -quantizer.zero_point
        return torch.cat(
            [quantizer.scale, low, low + max_code(quantizer.bits)]
        )

    return torch.stack(
        [
            codes(attention.q_quantizer),
            codes(attention.k_quantizer),
            codes(attention.v_quantizer),
        ]
    )
