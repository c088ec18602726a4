"""What quantized attentions share: both products and the softmax."""

from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...methods import StaticQuantizer, softmax_quantizer
from ...quantizers import ActivationQuantizer, has_row_steps, softmax_codes
from ..base import LayerConfig, QuantModule, holds_integers
from ..instances import current_instances
from ..layers.folded_bias import fold_bias
from ..variant import variant


class QuantProducts(QuantModule):
    """The quantizers of an attention's two products (method, section 3).

    Q, K and V are quantized per tensor, softmax rows as the method says.
    """

    grouped_key = 'softmax_quantizer'
    q_quantizer: StaticQuantizer
    k_quantizer: StaticQuantizer
    v_quantizer: StaticQuantizer

    def configure(self, config: LayerConfig) -> None:
        super().configure(config)
        static = partial(
            StaticQuantizer, config.a_bits, config.strict_zero_point
        )
        self.q_quantizer = static()
        self.k_quantizer = static()
        self.v_quantizer = static()
        self.softmax_quantizer = self.grouped_quantizer(config.groups)

    def grouped_quantizer(self, groups: int) -> ActivationQuantizer:
        return softmax_quantizer(
            self.config.method,
            self.config.a_bits,
            groups,
            self.config.strict_zero_point,
            self.config.ranges,
        )

    def on_grid(self, x: Tensor) -> bool:
        """Whether both products can be taken over integers.

        Args:
            x (Tensor): For device and dtype.
        """
        return (
            not self.observing
            and self.q_quantizer.ready
            and holds_integers(x)
            and has_row_steps(self.softmax_quantizer)
        )

    def score_factor(self, scale: float) -> Tensor:
        """What a sum over ``q - z`` of Q and K is multiplied by, (1,).

        Args:
            scale (float): The factor of the scores in float.
        """
        step = self.q_quantizer.scale
        factor = step.double() * self.k_quantizer.scale.double() * scale
        return factor.to(step.dtype)


class QuantAttention(QuantProducts):
    """Base of attentions whose Q, K and V come apart."""

    @classmethod
    def from_float(cls, module: nn.Module, config: LayerConfig) -> Any:
        """Takes over everything of a float attention.

        Args:
            module (nn.Module): The float layer.
            config (LayerConfig): Its settings.
        """
        layer = variant(cls, fold_bias(module))
        layer.configure(config)
        return layer

    def attend(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        scale: float | Tensor,
        bias: Tensor | None = None,
        dropout: float = 0.0,
        keep_keys: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Scores, softmax and the product with V.

        Args:
            query (Tensor): (R, heads, L, D).
            key (Tensor): (R, heads, S, D).
            value (Tensor): (R, heads, S, E).
            scale (float | Tensor): A factor of the scores; a tensor must
                broadcast to (R, heads, L, S).
            bias (Tensor, optional): Added to the scores, broadcasts to
                (R, heads, L, S).
            dropout (float): Share of attention dropped. Defaults to 0.
            keep_keys (Tensor, optional): Which keys count for statistics,
                bool, (R, S). Defaults to what holds for the queries, if
                there are as many.

        Returns:
            tuple[Tensor, Tensor]: Result, (R, heads, L, E), and attention
            map, (R, heads, L, S).
        """
        keep = None
        if self.observing:
            keep = current_instances().kept(query.shape[0])
            if keep is not None and keep.shape[1] != query.shape[2]:
                keep = None
            if keep_keys is None and key.shape[2] == query.shape[2]:
                keep_keys = keep
        if self.on_grid(query):
            return self.attend_on_grid(query, key, value, scale, bias, dropout)
        query = self.q_quantizer(query, _counted(query, keep))
        key = self.k_quantizer(key, _counted(key, keep_keys))
        value = self.v_quantizer(value, _counted(value, keep_keys))
        if isinstance(scale, Tensor):
            scores = query @ key.transpose(-2, -1) * scale
        else:
            scores = (query * scale) @ key.transpose(-2, -1)
        if bias is not None:
            scores = scores + bias
        attention = self.quantize_rows(scores.softmax(-1), keep)
        if dropout:
            attention = F.dropout(attention, dropout)
        if self.observing:
            depth = query.shape[-1] + value.shape[-1]
            self.workload.add(
                rows=attention[..., 0].numel(),
                row_elements=attention.numel(),
                macs=attention.numel() * depth,
            )
        return attention @ value, attention

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
        """See :meth:`attend`; sums of integers, which are exact."""
        query = self.q_quantizer.integers(query)
        key = self.k_quantizer.integers(key)
        value = self.v_quantizer.integers(value)
        scores = query @ key.transpose(-2, -1)
        factor = self.score_factor(1.0)
        if isinstance(scale, Tensor):
            scores = scores.mul_(scale)
        else:
            factor = self.score_factor(scale)
        steps = softmax_codes(scores, factor, self.softmax_quantizer, bias)
        if dropout:
            scores = F.dropout(scores, dropout)
        out = scores @ value
        out *= (steps * self.v_quantizer.scale)[..., None]
        return out, scores.mul_(steps[..., None])

    def quantize_rows(self, attention: Tensor, keep: Tensor | None) -> Tensor:
        """Quantizes the rows of an attention map, mostly in place.

        Args:
            attention (Tensor): (R, heads, L, S), owned by the caller.
            keep (Tensor, optional): Which queries count for statistics,
                bool, (R, L).

        Returns:
            Tensor: (R, heads, L, S).
        """
        rows = attention.view(-1, attention.shape[-1])
        if self.observing:
            real = _counted(attention, keep)
            self.softmax_quantizer(rows, real.reshape(-1, rows.shape[-1]))
            return attention
        return self.softmax_quantizer(rows, out=rows).view_as(attention)


def _counted(x: Tensor, keep: Tensor | None) -> Tensor:
    """Tokens of (R, heads, L, D) that count, (R, L) bool."""
    return x if keep is None else x.transpose(1, 2)[keep]


def additive_mask(mask: Tensor, like: Tensor) -> Tensor:
    """A mask as a term of the scores.

    Args:
        mask (Tensor): Such a term already, or bool with True where
            attention is not allowed.
        like (Tensor): For the dtype.
    """
    if mask.dtype.is_floating_point:
        return mask.to(like.dtype)
    forbidden = mask.bool()
    return like.new_zeros(mask.shape).masked_fill_(forbidden, float('-inf'))
