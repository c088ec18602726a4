"""Attentions of timm whose two products run on integer codes."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels import library, recorded
from ..kernels.guard import single_on_cpu, standard_only
from ..modules.attention.fused_attention import QuantFusedAttention
from ..modules.attention.window_products import window_codes
from ..modules.variant import variant
from ..operators.attention import OUTSIDE, RUN
from ..operators.attention import attention as attention_operator
from .window_attention import fits, reach, refuses


class IntegerFusedAttention(QuantFusedAttention):
    """Computes what a calibrated ``QuantFusedAttention`` simulates.

    Every head of an image is a window to the kernel of windowed attention,
    which has all tokens; outputs are the same bits. Queries with other
    keys than their own tokens are simulated.

    Attributes:
        reach (list[int]): The largest integers that stand for Q, K and V.
    """

    reach: list[int]

    @classmethod
    def supports(cls, layer: QuantFusedAttention) -> str | None:
        """Why a layer cannot run on integers, or None if it can.

        Args:
            layer (QuantFusedAttention): Calibrated.
        """
        # PVTv2 makes keys of fewer tokens, a pool has queries of its own
        if getattr(layer, 'sr', None) is not None or hasattr(layer, 'latent'):
            return 'its queries and keys are of different tokens'
        if not single_on_cpu(layer.q_quantizer.scale):
            return 'it is not in float32 on a CPU'
        return refuses(layer, library())

    @classmethod
    def from_quantized(cls, layer: QuantFusedAttention) -> Any:
        """Takes over a layer.

        Args:
            layer (QuantFusedAttention): One that :meth:`supports`.
        """
        own = variant(cls, layer)
        own.reach = reach(layer)
        return own

    @torch.no_grad()
    def attend_on_grid(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scale: float | Tensor,
        bias: Tensor | None,
        dropout: float,
    ) -> tuple[Tensor, Tensor]:
        """See :meth:`QuantAttention.attend`; no attention map comes out."""
        images, heads, length, depth = query.shape
        present = (query, key, value) if bias is None else (query, key, bias)
        # a term of each image's own, as timm's shifted windows have
        apart = bias is not None and bias.dim() == 4 and bias.shape[0] != 1
        if (
            standard_only(query)
            or dropout
            or not query.numel()
            or isinstance(scale, Tensor)
            or not query.shape == key.shape == value.shape
            or not single_on_cpu(self.q_quantizer.scale, value, *present)
            or not fits(self.reach, depth, length, self.config.a_bits)
            or (apart and recorded())  # a graph takes any number of images
        ):
            return super().attend_on_grid(
                query, key, value, scale, bias, dropout
            )
        # each head is a window of its own, of one image if they differ
        windows = images * heads if apart else heads
        rows = windows * length
        qkv = torch.stack([query, key, value], dim=3)
        terms, mask = _terms(bias, windows, length, query)
        edges, step = self.softmax_quantizer.row_steps()
        out: Tensor = attention_operator(
            qkv.view(1 if apart else images, rows, 3 * depth),
            torch.arange(rows, device=query.device),
            terms,
            mask,
            window_codes(self),
            edges,
            step,
            self.score_factor(scale),
            rows,
            self.config.a_bits,
        )
        return out.view(query.shape), out


def _terms(
    bias: Tensor | None, windows: int, length: int, like: Tensor
) -> tuple[Tensor, Tensor | None]:
    """What is added to scores, as the kernel reads it.

    Args:
        bias (Tensor, optional): (..., N, N), for every window or for each.
        windows (int): How many.
        length (int): N.
        like (Tensor): For the dtype.

    Returns:
        tuple[Tensor, Tensor | None]: Of every window, (1, N, M), and of each
        one, (windows, N, M); M fills vectors.
    """
    fill = (0, -length % RUN)
    mask = None
    if bias is None:
        terms = like.new_zeros(length, length)
    elif bias.dim() == 2 or bias.shape[:-2].numel() == 1:
        terms = bias.reshape(bias.shape[-2:]).expand(length, length)
    else:
        terms = like.new_zeros(length, length)
        bias = bias[None] if bias.dim() == 3 else bias
        own = bias.expand(-1, windows // bias.shape[0], length, length)
        mask = F.pad(own.reshape(windows, length, length), fill).contiguous()
    return F.pad(terms, fill, value=OUTSIDE)[None].contiguous(), mask
