"""``igq::attention``: attention inside windows, on integers."""

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.memory import empty
from ..kernels.structs import AttentionStruct
from .definition import operator, plain
from .softmax_codes import softmax_codes
from .windows import gathers

RUN = 16  # keys a vector of the kernel holds
OUTSIDE = -1e30  # the score of what only fills a vector


def _in_torch(
    qkv: Tensor,
    gather: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    codes: Tensor,
    edges: Tensor,
    step: Tensor,
    factor: Tensor,
    tokens: int,
    bits: int,
) -> Tensor:
    images, rows, width = qkv.shape
    heads, length, _ = bias.shape
    windows = len(gather) // length
    parts = qkv[:, gather].view(images * windows, length, 3, heads, -1)
    query, key, value = (
        torch.round(part / how[0]).clamp_(how[1], how[2])
        for how, part in zip(codes, parts.permute(2, 0, 3, 1, 4), strict=True)
    )
    scores = query @ key.transpose(-2, -1)
    if mask is not None:
        mask = mask[:, None, :, :length].repeat(images, 1, 1, 1)
    steps = softmax_codes(
        scores, factor, bias[..., :length], mask, edges, step, 2**bits - 1
    )
    sums = scores @ value * (steps * codes[2, 0])[..., None]
    placed = sums.transpose(1, 2).reshape(images, len(gather), -1)
    out = qkv.new_zeros(images, rows, width // 3)
    return out.index_copy_(1, gather, placed)[:, :tokens].contiguous()


def _fits(
    qkv: Tensor,
    gather: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    codes: Tensor,
    edges: Tensor,
    step: Tensor,
    factor: Tensor,
    tokens: int,
    bits: int,
) -> bool:
    if qkv.dim() != 3 or bias.dim() != 3 or not (qkv.numel() and tokens):
        return False
    heads, length, padded = bias.shape
    windows = len(gather) // max(length, 1)
    masks = () if mask is None else (mask,)
    return (
        plain(torch.float32, bias, codes, edges, step, factor, *masks)
        and qkv.dtype is torch.float32
        and codes.shape == (3, 3)
        and factor.numel() == 1
        and step.dim() == 1
        and edges.shape == (len(step) - 1,)
        and qkv.shape[2] % (3 * heads) == 0
        and padded == length + -length % RUN
        and all(m.shape == (windows, length, padded) for m in masks)
        and tokens <= qkv.shape[1]
        and gathers(gather, qkv.shape[1], length)
    )


def _in_c(
    kernels: Library,
    qkv: Tensor,
    gather: Tensor,
    bias: Tensor,
    mask: Tensor | None,
    codes: Tensor,
    edges: Tensor,
    step: Tensor,
    factor: Tensor,
    tokens: int,
    bits: int,
) -> Tensor:
    qkv = qkv.contiguous()
    images, rows, width = qkv.shape
    heads, length, _ = bias.shape
    out = empty(qkv, images, tokens, width // 3)
    query, key, value = map(address, codes)
    shape = AttentionStruct(
        images=images,
        rows=rows,
        tokens=tokens,
        windows=len(gather) // length,
        length=length,
        heads=heads,
        depth=width // 3 // heads,
        groups=len(step),
        gather=address(gather, torch.int64),
        bias=address(bias),
        mask=None if mask is None else address(mask),
        query=query,
        key=key,
        value=value,
        edges=address(edges),
        row_scale=address(step),
        score_scale=factor.item(),
        top=2**bits - 1,
        shift=2 ** (bits - 1),
        wide=int(bits > 7),
    )
    kernels.call('attention', qkv, shape, out, torch.get_num_threads())
    return out


def _shapes(qkv: Tensor, *args: int) -> Tensor:
    return qkv.new_empty(qkv.shape[0], args[-2], qkv.shape[2] // 3)


# qkv (B, R, 3 * C), gather (W * N,) int64 the row of each position in a
# window, bias (heads, N, N') and mask (W, N, N') added to the scores, with
# N' a multiple of 16 and -1e30 beyond N; codes scale, -z and 2^b - 1 - z of
# Q, K and V, (3, 3), edges (G - 1,) and step (G,) of softmax rows, factor
# (1,) of the scores, to (B, tokens, C)
attention = operator(
    'attention(Tensor qkv, Tensor gather, Tensor bias, Tensor? mask, '
    'Tensor codes, Tensor edges, Tensor step, Tensor factor, int tokens, '
    'int bits) -> Tensor',
    _in_torch,
    _in_c,
    _fits,
    _shapes,
)
