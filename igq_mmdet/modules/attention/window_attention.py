"""Windowed attention of mmdet's Swin, both products quantized."""

import torch
from torch import Tensor, nn

from ...kernels import library, runs_here
from ...quantizers import fake_quantize, softmax_codes
from ..base import LayerConfig
from .attention import QuantProducts
from .float_window_attention import FloatWindowMSA


class QuantWindowMSA(QuantProducts, FloatWindowMSA):
    """Stands for mmdet's ``WindowMSA`` (method, sections 3 and 4)."""

    @classmethod
    def from_float(
        cls, module: nn.Module, config: LayerConfig
    ) -> 'QuantWindowMSA':
        """Takes over the parameters of a float ``WindowMSA``.

        Args:
            module (nn.Module): The float layer.
            config (LayerConfig): Its settings.
        """
        layer = cls(config)
        layer.adopt(module)
        return layer

    def quantize_qkv(self, qkv: Tensor, tokens: int | None = None) -> Tensor:
        """Quantizes Q, K and V in one pass, mostly in place.

        Args:
            qkv (Tensor): (R, N, 3 * C), owned by the caller.
            tokens (int, optional): How many tokens count for statistics.

        Returns:
            Tensor: (R, N, 3 * C).
        """
        parts = (self.q_quantizer, self.k_quantizer, self.v_quantizer)
        if self.observing:
            counted = qkv[:, :tokens].chunk(3, dim=-1)
            for quantizer, values in zip(parts, counted, strict=True):
                quantizer(values)
        elif self.q_quantizer.ready:
            on_grid = self.on_grid(qkv)
            channels = qkv.shape[-1] // 3
            scale, zero_point = (
                torch.cat(values).repeat_interleave(channels)
                for values in (
                    [p.scale for p in parts],
                    [p.zero_point for p in parts],
                )
            )
            rows = qkv.view(-1, qkv.shape[-1])
            return fake_quantize(
                rows,
                scale,
                zero_point,
                self.config.a_bits,
                rows,
                torch.ones_like(scale) if on_grid else None,
            ).view_as(qkv)
        return qkv

    def in_blocks(self, qkv: Tensor) -> bool:
        """Whether compiled kernels attend, some windows at a time.

        Args:
            qkv (Tensor): Q, K and V in float.
        """
        if not self.on_grid(qkv) or (self.training and self.attn_drop.p):
            return False
        table = self.relative_position_bias_table
        if not runs_here(qkv, self.q_quantizer.scale, table):
            return False
        return library() is not None

    def attend(
        self,
        qkv: Tensor,
        mask: Tensor | None = None,
        counted: Tensor | None = None,
    ) -> Tensor:
        """As the float class.

        Args:
            qkv (Tensor): From :meth:`quantize_qkv`, (B * nW, N, 3 * C):
                ``q - z`` where :meth:`on_grid`.
            mask (Tensor, optional): See the float class.
            counted (Tensor, optional): See the float class.
        """
        if not self.on_grid(qkv):
            return super().attend(qkv, mask, counted)
        rows, length, width = qkv.shape
        heads = self.num_heads
        query, key, value = qkv.view(rows, length, 3, heads, -1).permute(
            2, 0, 3, 1, 4
        )
        with torch.no_grad():
            scores = query @ key.transpose(-2, -1)
            bias = self.position_bias(length)
            if mask is not None:
                mask = mask.repeat(rows // mask.shape[0], 1, 1)[:, None]
            steps = softmax_codes(
                scores,
                self.score_factor(self.scale),
                self.softmax_quantizer,
                bias,
                mask,
            )
            out = self.attn_drop(scores) @ value
            out *= (steps * self.v_quantizer.scale)[..., None]
        return out.transpose(1, 2).reshape(rows, length, width // 3)

    def quantize_softmax(
        self, attention: Tensor, counted: Tensor | None
    ) -> Tensor:
        """Quantizes the rows of an attention map, mostly in place.

        Args:
            attention (Tensor): (B * nW, heads, N, N), owned by the caller.
            counted (Tensor, optional): Bool, (nW, N), see :meth:`attend`.

        Returns:
            Tensor: (B * nW, heads, N, N).
        """
        length = attention.shape[-1]
        rows = attention.view(-1, length)
        if not self.observing:
            return self.softmax_quantizer(rows, out=rows).view_as(attention)
        real = rows
        if counted is not None:
            by_query = attention.transpose(1, 2).unflatten(
                0, (-1, counted.shape[0])
            )
            real = by_query[:, counted].reshape(-1, length)
        self.softmax_quantizer(rows, real)
        depth = self.embed_dims // self.num_heads
        self.workload.add(
            rows=rows.shape[0],
            row_elements=rows.numel(),
            macs=2 * rows.numel() * depth,
        )
        return attention
