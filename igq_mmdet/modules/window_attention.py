"""Windowed attention of mmdet's Swin, both products quantized."""

from functools import partial

import torch
from torch import Tensor, nn

from ..quantizers import StaticQuantizer, fake_quantize, softmax_quantizer
from .base import LayerConfig, QuantModule, take_over


class QuantWindowMSA(QuantModule):
    """Stands for mmdet's ``WindowMSA`` (method, sections 3 and 4).

    Q, K and V are quantized per tensor, softmax rows by row groups.
    """

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
        take_over(
            layer,
            module,
            'embed_dims',
            'window_size',
            'num_heads',
            'scale',
            'relative_position_bias_table',
            'qkv',
            'attn_drop',
            'proj',
            'proj_drop',
            'softmax',
        )
        layer.register_buffer(
            'relative_position_index', module.relative_position_index
        )
        return layer

    def __init__(self, config: LayerConfig) -> None:
        super().__init__(config)
        static = partial(
            StaticQuantizer, config.a_bits, config.strict_zero_point
        )
        self.q_quantizer = static()
        self.k_quantizer = static()
        self.v_quantizer = static()
        self.softmax_quantizer = softmax_quantizer(
            config.method,
            config.a_bits,
            config.groups,
            config.strict_zero_point,
        )

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attention inside windows.

        Args:
            x (Tensor): Tokens of the windows, (B * nW, N, C).
            mask (Tensor, optional): Added to the scores, (nW, N, N).

        Returns:
            Tensor: (B * nW, N, C).
        """
        qkv = self.quantize_qkv(self.qkv(x))
        return self.proj_drop(self.proj(self.attend(qkv, mask)))

    def quantize_qkv(self, qkv: Tensor, tokens: int | None = None) -> Tensor:
        """Quantizes Q, K and V in place, in one pass.

        Args:
            qkv (Tensor): (R, N, 3 * C), owned by the caller.
            tokens (int, optional): How many tokens count for statistics.

        Returns:
            Tensor: ``qkv``.
        """
        parts = (self.q_quantizer, self.k_quantizer, self.v_quantizer)
        if self.observing:
            counted = qkv[:, :tokens].chunk(3, dim=-1)
            for quantizer, values in zip(parts, counted, strict=True):
                quantizer(values)
        elif self.q_quantizer.ready:
            channels = qkv.shape[-1] // 3
            scale, zero_point = (
                torch.cat(values).repeat_interleave(channels)
                for values in (
                    [p.scale for p in parts],
                    [p.zero_point for p in parts],
                )
            )
            rows = qkv.view(-1, qkv.shape[-1])
            fake_quantize(
                rows, scale, zero_point, self.config.a_bits, out=rows
            )
        return qkv

    def attend(
        self,
        qkv: Tensor,
        mask: Tensor | None = None,
        counted: Tensor | None = None,
    ) -> Tensor:
        """Scores, softmax and the product with V.

        Args:
            qkv (Tensor): Quantized Q, K and V, (B * nW, N, 3 * C).
            mask (Tensor, optional): Added to the scores, (nW, N, N).
            counted (Tensor, optional): Which queries count for statistics,
                bool, (nW, N). Defaults to all.

        Returns:
            Tensor: (B * nW, N, C), before the projection.
        """
        rows, length, width = qkv.shape
        heads = self.num_heads
        depth = width // 3 // heads
        query, key, value = qkv.view(rows, length, 3, heads, depth).permute(
            2, 0, 3, 1, 4
        )
        scores = (query * self.scale) @ key.transpose(-2, -1)
        scores += self.position_bias(length)
        if mask is not None:
            windows = mask.shape[0]
            scores.view(-1, windows, heads, length, length).add_(
                mask[None, :, None]
            )
        attention = self.quantize_softmax(self.softmax(scores), counted)
        out = self.attn_drop(attention) @ value
        return out.transpose(1, 2).reshape(rows, length, width // 3)

    def position_bias(self, length: int) -> Tensor:
        """The relative position bias, (heads, length, length)."""
        index = self.relative_position_index.view(-1)
        bias = self.relative_position_bias_table[index]
        return bias.view(length, length, -1).permute(2, 0, 1)

    def quantize_softmax(
        self, attention: Tensor, counted: Tensor | None
    ) -> Tensor:
        """Quantizes the rows of an attention map in place.

        Args:
            attention (Tensor): (B * nW, heads, N, N), owned by the caller.
            counted (Tensor, optional): Bool, (nW, N), see :meth:`attend`.

        Returns:
            Tensor: ``attention``.
        """
        length = attention.shape[-1]
        rows = attention.view(-1, length)
        if not self.observing:
            self.softmax_quantizer(rows, out=rows)
            return attention
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
