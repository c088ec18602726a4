"""``igq::attention``: attention inside windows, on integers."""

from dataclasses import dataclass

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.guard import plain
from ..kernels.memory import empty
from ..kernels.structs import AttentionStruct
from .definition import Operator, operator
from .softmax_codes import softmax_codes
from .windows import gathers

RUN = 16  # keys a vector of the kernel holds
OUTSIDE = -1e30  # the score of what only fills a vector


@dataclass
class Attention(Operator):
    """Attention of images, (B, tokens, C).

    Args:
        qkv (Tensor): (B, R, 3 * C).
        gather (Tensor): The row of each position in a window, int64,
            (W * N,).
        bias (Tensor): Added to the scores, (heads, N, N'), with N' a
            multiple of ``RUN`` and ``OUTSIDE`` beyond N.
        mask (Tensor, optional): Added to the scores, (W, N, N').
        codes (Tensor): Scale, -z and 2^b - 1 - z of Q, K and V, (3, 3).
        edges (Tensor): Between groups of softmax rows, (G - 1,).
        step (Tensor): Of the groups, (G,).
        factor (Tensor): Of the scores, (1,).
        tokens (int): How many come out.
        bits (int): Width of softmax codes.
    """

    qkv: Tensor
    gather: Tensor
    bias: Tensor
    mask: Tensor | None
    codes: Tensor
    edges: Tensor
    step: Tensor
    factor: Tensor
    tokens: int
    bits: int

    def in_torch(self) -> Tensor:
        qkv, gather, mask, codes = self.qkv, self.gather, self.mask, self.codes
        images, rows, width = qkv.shape
        heads, length, _ = self.bias.shape
        windows = len(gather) // length
        parts = qkv[:, gather].view(images * windows, length, 3, heads, -1)
        query, key, value = (
            torch.round(part / how[0]).clamp_(how[1], how[2])
            for how, part in zip(
                codes, parts.permute(2, 0, 3, 1, 4), strict=True
            )
        )
        scores = query @ key.transpose(-2, -1)
        if mask is not None:
            mask = mask[:, None, :, :length].repeat(images, 1, 1, 1)
        steps = softmax_codes(
            scores,
            self.factor,
            self.bias[..., :length],
            mask,
            self.edges,
            self.step,
            2**self.bits - 1,
        )
        sums = scores @ value * (steps * codes[2, 0])[..., None]
        placed = sums.transpose(1, 2).reshape(images, len(gather), -1)
        out = qkv.new_zeros(images, rows, width // 3)
        out.index_copy_(1, gather, placed)
        return out[:, : self.tokens].contiguous()

    def fits(self) -> bool:
        qkv, bias, tokens = self.qkv, self.bias, self.tokens
        if qkv.dim() != 3 or bias.dim() != 3 or not (qkv.numel() and tokens):
            return False
        heads, length, padded = bias.shape
        windows = len(self.gather) // max(length, 1)
        floats = [bias, self.codes, self.edges, self.step, self.factor]
        if self.mask is not None:
            if self.mask.shape != (windows, length, padded):
                return False
            floats.append(self.mask)
        return (
            plain(torch.float32, *floats)
            and qkv.dtype is torch.float32
            and self.codes.shape == (3, 3)
            and self.factor.numel() == 1
            and self.step.dim() == 1
            and self.edges.shape == (len(self.step) - 1,)
            and qkv.shape[2] % (3 * heads) == 0
            and padded == length + -length % RUN
            and tokens <= qkv.shape[1]
            and gathers(self.gather, qkv.shape[1], length)
        )

    def in_c(self, kernels: Library) -> Tensor:
        qkv = self.qkv.contiguous()
        images, rows, width = qkv.shape
        heads, length, _ = self.bias.shape
        out = empty(qkv, images, self.tokens, width // 3)
        query, key, value = map(address, self.codes)
        shape = AttentionStruct(
            images=images,
            rows=rows,
            tokens=self.tokens,
            windows=len(self.gather) // length,
            length=length,
            heads=heads,
            depth=width // 3 // heads,
            groups=len(self.step),
            gather=address(self.gather, torch.int64),
            bias=address(self.bias),
            mask=None if self.mask is None else address(self.mask),
            query=query,
            key=key,
            value=value,
            edges=address(self.edges),
            row_scale=address(self.step),
            score_scale=self.factor.item(),
            top=2**self.bits - 1,
            shift=2 ** (self.bits - 1),
            wide=int(self.bits > 7),
        )
        kernels.call('attention', qkv, shape, out, torch.get_num_threads())
        return out

    def shapes(self) -> Tensor:
        images, _, width = self.qkv.shape
        return self.qkv.new_empty(images, self.tokens, width // 3)


attention = operator(
    'attention(Tensor qkv, Tensor gather, Tensor bias, Tensor? mask, '
    'Tensor codes, Tensor edges, Tensor step, Tensor factor, int tokens, '
    'int bits) -> Tensor',
    Attention,
)
