"""Attentions that hide their softmax in one fused call, as timm's do."""

from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..base import LayerConfig
from .attention import QuantAttention, additive_mask

POSITION_BIAS = 'position bias, the same for every image'


class QuantFusedAttention(QuantAttention):
    """Stands for attentions around ``F.scaled_dot_product_attention``.

    The float class's own ``forward`` runs, whatever its projections, norms
    and position embeddings; only the fused call is replaced by both
    products and the softmax between them.
    """

    fused_attn: bool
    num_heads: int
    FLOAT_CHILDREN: ClassVar[dict[str, str]] = {'rel_pos': POSITION_BIAS}

    @classmethod
    def from_float(cls, module: nn.Module, config: LayerConfig) -> Any:
        """Takes over everything of a float attention.

        Args:
            module (nn.Module): Has a switch ``fused_attn``.
            config (LayerConfig): Its settings.
        """
        layer = super().from_float(module, config)
        layer.fused_attn = True
        return layer

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Arguments and result of the float class."""
        with _Explicit(self):
            return super().forward(*args, **kwargs)

    def attend_fused(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        attn_mask: Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> Tensor:
        """As ``F.scaled_dot_product_attention``."""
        flat = query.dim() == 3  # heads lie in the first dimension
        if flat:
            query, key, value = (
                x.unflatten(0, (-1, self.num_heads))
                for x in (query, key, value)
            )
            if attn_mask is not None and attn_mask.dim() == 3:
                attn_mask = attn_mask.unflatten(0, (-1, self.num_heads))
        if enable_gqa:
            key, value = (
                x.repeat_interleave(query.shape[1] // x.shape[1], 1)
                for x in (key, value)
            )
        if is_causal:
            length, width = query.shape[2], key.shape[2]
            attn_mask = torch.ones(
                length, width, dtype=torch.bool, device=query.device
            ).tril_()
        if attn_mask is not None:
            allowed = attn_mask.dtype == torch.bool
            attn_mask = additive_mask(
                ~attn_mask if allowed else attn_mask, query
            )
        out, _ = self.attend(
            query,
            key,
            value,
            query.shape[-1] ** -0.5 if scale is None else scale,
            attn_mask,
            dropout_p,
        )
        return out.flatten(0, 1) if flat else out


class _Explicit(TorchFunctionMode):
    """Hands fused calls to a layer."""

    def __init__(self, layer: QuantFusedAttention) -> None:
        super().__init__()
        self.layer = layer

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if func is F.scaled_dot_product_attention:
            func = self.layer.attend_fused
        return func(*args, **(kwargs or {}))
