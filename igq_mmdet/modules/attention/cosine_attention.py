"""The cosine attention of timm's SwinV2."""

import math
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import QuantAttention
from .fused_attention import POSITION_BIAS

LARGEST_SCALE = 100.0


class QuantCosineAttention(QuantAttention):
    """Stands for the ``WindowAttention`` of timm's SwinV2.

    What is quantized as Q and K are the normalized vectors, which is what
    is multiplied.
    """

    FLOAT_CHILDREN: ClassVar[dict[str, str]] = {'cpb_mlp': POSITION_BIAS}

    num_heads: int
    logit_scale: Tensor
    relative_coords_table: Tensor
    relative_position_index: Tensor
    cpb_mlp: nn.Module
    qkv: nn.Module
    attn_drop: Any
    proj: nn.Module
    proj_drop: nn.Module

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention inside windows.

        Args:
            x (Tensor): Tokens of the windows, (B * nW, N, C).
            mask (Tensor, optional): Added to the scores, (nW, N, N).

        Returns:
            Tensor: (B * nW, N, C).
        """
        rows, length, channels = x.shape
        query, key, value = (
            self.qkv(x)
            .view(rows, length, 3, self.num_heads, -1)
            .permute(2, 0, 3, 1, 4)
        )
        bias = self.position_bias(length)[None]
        if mask is not None:
            mask = mask.repeat(rows // mask.shape[0], 1, 1)
            bias = bias + mask[:, None]
        out, _ = self.attend(
            F.normalize(query, dim=-1),
            F.normalize(key, dim=-1),
            value,
            self.logit_scale.clamp(max=math.log(LARGEST_SCALE)).exp(),
            bias,
            self.attn_drop.p if self.training else 0.0,
        )
        out = out.transpose(1, 2).reshape(rows, length, channels)
        return self.proj_drop(self.proj(out))

    def position_bias(self, length: int) -> Tensor:
        """The continuous position bias, (heads, N, N)."""
        table = self.cpb_mlp(self.relative_coords_table)
        table = table.view(-1, self.num_heads)
        bias = table[self.relative_position_index.view(-1)]
        bias = bias.view(length, length, -1).permute(2, 0, 1)
        return 16 * torch.sigmoid(bias)
