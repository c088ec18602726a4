"""``nn.MultiheadAttention`` cut into layers that can be quantized."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..instances import current_instances, instances
from .attention import additive_mask

PROJECTIONS = ('q_proj', 'k_proj', 'v_proj')


def projection_weights(module: nn.MultiheadAttention) -> list[Tensor]:
    """Weights of the projections to Q, K and V, (E, E), (E, K), (E, V)."""
    if module.in_proj_weight is not None:
        return list(module.in_proj_weight.chunk(3))
    weights: Any = (
        module.q_proj_weight,
        module.k_proj_weight,
        module.v_proj_weight,
    )
    return list(weights)


def projections(module: nn.MultiheadAttention) -> dict[str, nn.Linear]:
    """The projections to Q, K and V as layers of their own.

    Args:
        module (nn.MultiheadAttention): Whose parameters they share.
    """
    biases: list[Any] = [None] * 3
    if module.in_proj_bias is not None:
        biases = list(module.in_proj_bias.chunk(3))
    made = {}
    for name, weight, bias in zip(
        PROJECTIONS, projection_weights(module), biases, strict=True
    ):
        outputs, inputs = weight.shape
        layer = nn.Linear(inputs, outputs, bias=False, device='meta')
        layer.weight = nn.Parameter(weight.detach(), requires_grad=False)
        if bias is not None:
            layer.bias = nn.Parameter(bias.detach(), requires_grad=False)
        made[name] = layer
    return made


class SplitMultiheadAttention(nn.Module):
    """Stands for ``nn.MultiheadAttention`` and computes the same.

    Its projections go through one function in torch, past any layer; here
    Q, K and V, which are made of different tensors, have layers of their
    own. Keys that are padding are left out of the statistics.
    """

    # nn.TransformerEncoderLayer reads these before it takes its fast path
    in_proj_bias = None
    _qkv_same_embed_dim = False

    num_heads: int
    head_dim: int
    dropout: float
    batch_first: bool
    add_zero_attn: bool
    bias_k: Tensor | None
    bias_v: Tensor | None
    q_proj: nn.Module
    k_proj: nn.Module
    v_proj: nn.Module
    out_proj: nn.Module

    @classmethod
    def from_float(
        cls, module: nn.MultiheadAttention
    ) -> 'SplitMultiheadAttention':
        """Takes over the parameters of a float attention.

        Args:
            module (nn.MultiheadAttention): The float layer.
        """
        layer = cls()
        for name in (
            'embed_dim',
            'num_heads',
            'head_dim',
            'dropout',
            'batch_first',
            'bias_k',
            'bias_v',
            'add_zero_attn',
        ):
            setattr(layer, name, getattr(module, name))
        for name, projection in projections(module).items():
            setattr(layer, name, projection)
        layer.out_proj = module.out_proj
        layer.train(module.training)
        return layer

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Arguments and results of ``nn.MultiheadAttention``.

        ``is_causal`` is a hint there and not needed here.
        """
        batched = query.dim() == 3
        if not batched:
            query, key, value = (x[None] for x in (query, key, value))
            if key_padding_mask is not None:
                key_padding_mask = key_padding_mask[None]
        elif not self.batch_first:
            query, key, value = (
                x.transpose(0, 1) for x in (query, key, value)
            )
        keep_keys = None
        if key_padding_mask is not None:
            key_padding_mask = additive_mask(key_padding_mask, query)
            keep_keys = key_padding_mask > float('-inf')
        projected = self.project(query, key, value, keep_keys)
        q, k, v = self.extend(*projected)
        bias = self.both_masks(attn_mask, key_padding_mask, q, k)
        if keep_keys is not None:
            added = k.shape[2] - keep_keys.shape[1]
            keep_keys = F.pad(keep_keys, (0, added), value=True)
        dropout = self.dropout if self.training else 0.0
        out, weights = self.multiply(q, k, v, bias, dropout, keep_keys)
        out = self.out_proj(out.transpose(1, 2).flatten(2))
        if average_attn_weights:
            weights = weights.mean(1)
        if not batched:
            out, weights = out[0], weights[0]
        elif not self.batch_first:
            out = out.transpose(0, 1)
        return out, weights if need_weights else None

    def project(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        keep_keys: Tensor | None,
    ) -> list[Tensor]:
        """Q, K and V.

        Args:
            query (Tensor): (B, L, E).
            key (Tensor): (B, S, K).
            value (Tensor): (B, S, V).
            keep_keys (Tensor, optional): Which keys count for statistics,
                bool, (B, S).

        Returns:
            list[Tensor]: Three of (B, heads, L or S, D).
        """
        layout = current_instances()
        q = self.q_proj(query)
        if keep_keys is None and key.shape[1] == query.shape[1]:
            keep_keys = layout.keep
        with instances(keep=keep_keys):
            k, v = self.k_proj(key), self.v_proj(value)
        # ONNX would fix the number of images in unflatten
        return [
            x.reshape(
                *x.shape[:2], self.num_heads, x.shape[2] // self.num_heads
            ).transpose(1, 2)
            for x in (q, k, v)
        ]

    def extend(
        self, query: Tensor, key: Tensor, value: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Appends the keys and values that do not depend on the input."""
        _, heads, _, depth = key.shape
        if self.bias_k is not None and self.bias_v is not None:
            key, value = (
                _append(x, extra.view(1, heads, 1, depth))
                for x, extra in ((key, self.bias_k), (value, self.bias_v))
            )
        if self.add_zero_attn:
            zero = key.new_zeros(1, heads, 1, depth)
            key, value = _append(key, zero), _append(value, zero)
        return query, key, value

    def both_masks(
        self,
        attn_mask: Tensor | None,
        key_padding_mask: Tensor | None,
        query: Tensor,
        key: Tensor,
    ) -> Tensor | None:
        """Both masks as one term of the scores.

        Args:
            attn_mask (Tensor, optional): (L, S) or (B * heads, L, S).
            key_padding_mask (Tensor, optional): Float, (B, S).
            query (Tensor): (B, heads, L, D).
            key (Tensor): (B, heads, S + added, D).

        Returns:
            Tensor: Broadcasts to (B, heads, L, S + added), or None.
        """
        terms = []
        if attn_mask is not None:
            mask = additive_mask(attn_mask, query)
            if mask.dim() == 3:
                mask = mask.unflatten(0, (-1, query.shape[1]))
            terms.append(mask)
        if key_padding_mask is not None:
            terms.append(key_padding_mask[:, None, None])
        if not terms:
            return None
        bias = sum(terms[1:], terms[0])
        return F.pad(bias, (0, key.shape[2] - bias.shape[-1]))

    def multiply(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Tensor | None,
        dropout: float,
        keep_keys: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Both products in float, see ``QuantAttention.attend``."""
        scores = (query * self.head_dim**-0.5) @ key.transpose(-2, -1)
        if bias is not None:
            scores = scores + bias
        attention = F.dropout(scores.softmax(-1), dropout, dropout > 0)
        return attention @ value, attention


def _append(x: Tensor, extra: Tensor) -> Tensor:
    """Appends to dimension 2, the same for every image."""
    return torch.cat([x, extra.expand(x.shape[0], -1, -1, -1)], dim=2)
