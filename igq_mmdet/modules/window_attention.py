"""Windowed attention of mmdet's Swin, both products quantized."""

from functools import partial

import torch
from torch import Tensor, nn

from ..quantizers import StaticQuantizer, fake_quantize, softmax_quantizer
from .base import LayerConfig, QuantModule
from .float_window_attention import FloatWindowMSA


class QuantWindowMSA(QuantModule, FloatWindowMSA):
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
        layer.adopt(module)
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
