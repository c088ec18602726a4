"""torchvision's Swin and SwinV2: attention that shifts windows itself."""

import math
from collections.abc import Callable
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..base import LayerConfig
from ..instances import instances
from ..variant import variant
from .attention import QuantAttention
from .cosine_attention import LARGEST_SCALE
from .fused_attention import POSITION_BIAS
from .shift_window_attention import KeptLayout, Pair


class ShiftedWindows(nn.Module):
    """Stands for ``ShiftedWindowAttention`` and its V2, computes the same.

    The float classes hand the weights of their projections to a function;
    here the projections are called, on the tokens of whole images, and what
    lies between them is cut into windows by one gather. It is used as it is
    where only the projections of an attention are quantized.
    """

    FLOAT_CHILDREN: ClassVar[dict[str, str]] = {'cpb_mlp': POSITION_BIAS}

    window_size: list[int]
    shift_size: list[int]
    num_heads: int
    attention_dropout: float
    dropout: float
    qkv: nn.Module
    proj: nn.Module
    layout: KeptLayout
    get_relative_position_bias: Callable[[], Tensor]

    @classmethod
    def adopt(cls, module: Any) -> Any:
        """Takes over everything of a float attention.

        Args:
            module (nn.Module): The float layer.
        """
        own: Any = variant(cls, module)
        own.layout = KeptLayout()
        if own.logit_scale is not None and own.qkv.bias is not None:
            with torch.no_grad():  # as V2 does at every call: K has no bias
                own.qkv.bias.chunk(3)[1].zero_()
        return own

    @property
    def logit_scale(self) -> Tensor | None:
        """What SwinV2 learns in place of a scale, (heads, 1, 1)."""
        return self._parameters.get('logit_scale')

    def forward(self, x: Tensor) -> Tensor:
        """Attention inside (shifted) windows, (B, H, W, C)."""
        batch, height, width, channels = x.shape
        tokens = height * width
        layout = self.layout(
            height, width, *self.window_and_shift(height, width), x.device
        )
        flat = x.flatten(1, 2)
        if layout.real is not None:
            padding = x.new_zeros(batch, 1, channels)
            flat = torch.cat([flat, padding], dim=1)
        with instances(tokens=tokens):
            qkv = self.qkv(flat)
        length = self.window_size[0] * self.window_size[1]
        windows = qkv.index_select(1, layout.gather).view(
            -1, length, 3, self.num_heads, channels // self.num_heads
        )
        query, key, value = windows.permute(2, 0, 3, 1, 4)
        with instances(images=batch, keep=layout.real):
            out = self.attend_windows(query, key, value, layout.mask)
        out = out.transpose(1, 2).reshape(batch, -1, channels)
        out = self.proj(out.index_select(1, layout.scatter))
        out = F.dropout(out, self.dropout, self.training)
        return out.view(batch, height, width, channels)

    def window_and_shift(self, height: int, width: int) -> tuple[Pair, Pair]:
        """Sides of a window and its shift; one window is not shifted."""
        down, right = (
            shift if side > window else 0
            for side, window, shift in zip(
                (height, width), self.window_size, self.shift_size, strict=True
            )
        )
        return (self.window_size[0], self.window_size[1]), (down, right)

    def attend_windows(
        self, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None
    ) -> Tensor:
        """Scores, softmax and the product with V.

        Args:
            query (Tensor): (B * nW, heads, N, D).
            key (Tensor): Same shape.
            value (Tensor): Same shape.
            mask (Tensor, optional): Added to the scores, (nW, N, N).

        Returns:
            Tensor: (B * nW, heads, N, D).
        """
        scale: float | Tensor = query.shape[-1] ** -0.5
        if self.logit_scale is not None:
            query, key = F.normalize(query, dim=-1), F.normalize(key, dim=-1)
            scale = self.logit_scale.clamp(max=math.log(LARGEST_SCALE)).exp()
        bias = self.get_relative_position_bias()
        if mask is not None:
            mask = mask.repeat(query.shape[0] // mask.shape[0], 1, 1)
            bias = bias + mask[:, None]
        dropout = self.attention_dropout if self.training else 0.0
        return self.attend(query, key, value, scale, bias, dropout)[0]

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scale: float | Tensor,
        bias: Tensor | None = None,
        dropout: float = 0.0,
    ) -> tuple[Tensor, Tensor]:
        """Both products in float, see :meth:`QuantAttention.attend`."""
        scores = query @ key.transpose(-2, -1) * scale
        if bias is not None:
            scores = scores + bias
        attention = F.dropout(scores.softmax(-1), dropout, dropout > 0)
        return attention @ value, attention


class QuantShiftedWindows(QuantAttention, ShiftedWindows):
    """The same with both products quantized (method, sections 3 and 4)."""

    @classmethod
    def from_float(
        cls, module: nn.Module, config: LayerConfig
    ) -> 'QuantShiftedWindows':
        """Takes over everything of a float attention.

        Args:
            module (nn.Module): The float layer.
            config (LayerConfig): Its settings.
        """
        layer: QuantShiftedWindows = cls.adopt(module)
        layer.configure(config)
        return layer
