"""mmdet's windowed attention, cut where tokens are put into windows."""

from typing import Any

from torch import Tensor, nn

from ..base import take_over


class FloatWindowMSA(nn.Module):
    """Stands for mmdet's ``WindowMSA`` and computes the same.

    The projection to Q, K and V and the attention itself are separate
    steps, so that the projection can see whole images. It is used as it is
    where only the projections of an attention are quantized.
    """

    embed_dims: int
    num_heads: int
    scale: float
    relative_position_bias_table: Tensor
    relative_position_index: Tensor
    qkv: nn.Module
    attn_drop: nn.Module
    proj: nn.Module
    proj_drop: nn.Module
    softmax: nn.Module

    def adopt(self, module: Any) -> 'FloatWindowMSA':
        """Takes over parameters and submodules of a ``WindowMSA``.

        Args:
            module (nn.Module): The float layer.
        """
        take_over(
            self,
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
        self.register_buffer(
            'relative_position_index', module.relative_position_index
        )
        return self

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

    def attend(
        self,
        qkv: Tensor,
        mask: Tensor | None = None,
        counted: Tensor | None = None,
    ) -> Tensor:
        """Scores, softmax and the product with V.

        Args:
            qkv (Tensor): Q, K and V, (B * nW, N, 3 * C).
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
            by_window = scores.view(-1, mask.shape[0], *scores.shape[1:])
            scores = by_window.add_(mask[None, :, None]).view_as(scores)
        attention = self.quantize_softmax(self.softmax(scores), counted)
        out = self.attn_drop(attention) @ value
        return out.transpose(1, 2).reshape(rows, length, width // 3)

    def position_bias(self, length: int) -> Tensor:
        """The relative position bias, (heads, length, length)."""
        index = self.relative_position_index.view(-1)
        bias = self.relative_position_bias_table[index]
        return bias.view(length, length, -1).permute(2, 0, 1)

    def quantize_qkv(self, qkv: Tensor, tokens: int | None = None) -> Tensor:
        """Lets Q, K and V through, (R, N, 3 * C)."""
        return qkv

    def quantize_softmax(
        self, attention: Tensor, counted: Tensor | None
    ) -> Tensor:
        """Lets the attention map through, (B * nW, heads, N, N)."""
        return attention
