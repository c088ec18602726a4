"""The attention of Conditional DETR and DAB-DETR."""

from contextlib import ExitStack
from typing import Any

from torch import Tensor, nn

from ..detr_layers import kept_tokens
from ..instances import instances_inside
from .attention import QuantAttention, additive_mask

OF_KEYS = ('kcontent_proj', 'kpos_proj', 'v_proj')


class QuantConditionalAttention(QuantAttention):
    """Stands for mmdet's ``ConditionalAttention``.

    Content and position have projections of their own, which the float
    class adds or joins to Q and K.
    """

    num_heads: int
    cross_attn: bool
    attn_drop: Any
    out_proj: nn.Module

    def forward(
        self,
        *args: Any,
        key_padding_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Any:
        """As the float class; padded keys do not count for statistics."""
        keep = kept_tokens(key_padding_mask)
        with ExitStack() as scopes:
            for name in OF_KEYS if self.cross_attn else ():
                layer = getattr(self, name)
                scopes.enter_context(instances_inside(layer, keep=keep))
            return super().forward(
                *args, key_padding_mask=key_padding_mask, **kwargs
            )

    def forward_attn(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        key_padding_mask: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Both products and the output projection.

        Args:
            query (Tensor): (B, L, C).
            key (Tensor): (B, S, C).
            value (Tensor): (B, S, E).
            attn_mask (Tensor, optional): (L, S) or (B * heads, L, S).
            key_padding_mask (Tensor, optional): Bool, (B, S).

        Returns:
            tuple[Tensor, Tensor]: Result, (B, L, E), and attention map,
            mean over heads, (B, L, S).
        """
        q, k, v = (
            x.unflatten(2, (self.num_heads, -1)).transpose(1, 2)
            for x in (query, key, value)
        )
        terms = []
        if attn_mask is not None:
            mask = additive_mask(attn_mask, query)
            if mask.dim() == 3:
                mask = mask.unflatten(0, (-1, self.num_heads))
            terms.append(mask)
        if key_padding_mask is not None:
            padding = additive_mask(key_padding_mask.bool(), query)
            terms.append(padding[:, None, None])
        out, attention = self.attend(
            q,
            k,
            v,
            q.shape[-1] ** -0.5,
            sum(terms[1:], terms[0]) if terms else None,
            self.attn_drop.p if self.training else 0.0,
            kept_tokens(key_padding_mask),
        )
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        return out, attention.mean(1)
