"""``igq::window_values`` and ``igq::window_outputs``: simulated windows.

What surrounds the two products of an attention inside windows of an image's
tokens; the products themselves are torch's.
"""

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.structs import AttentionStruct
from .definition import nothing, operator, plain


def gathers(gather: Tensor, rows: int, length: int) -> bool:
    """Whether positions of windows hold rows that are there.

    Args:
        gather (Tensor): Row of each position, (W * N,).
        rows (int): How many there are.
        length (int): N.
    """
    if not plain(torch.int64, gather) or gather.dim() != 1 or not len(gather):
        return False
    least, most = gather.aminmax()
    return (
        length > 0
        and len(gather) % length == 0
        and least.item() >= 0
        and most.item() < rows
    )


def _values_in_torch(
    qkv: Tensor,
    gather: Tensor,
    codes: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
) -> None:
    length, depth = query.shape[1:]
    parts = qkv[gather].view(-1, length, 3, qkv.shape[1] // 3 // depth, depth)
    for how, part, out in zip(
        codes, parts.permute(2, 0, 3, 1, 4), (query, key, value), strict=True
    ):
        scale, low, high = how
        own = torch.round(part / scale).clamp_(low, high)
        out.copy_(own.reshape(out.shape))


def _values_fit(
    qkv: Tensor,
    gather: Tensor,
    codes: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
) -> bool:
    if qkv.dim() != 2 or query.dim() != 3 or not query.numel():
        return False
    _, length, depth = query.shape
    wide = qkv.shape[1] // 3
    return (
        plain(torch.float32, qkv, codes, query, key, value)
        and query.shape == key.shape == value.shape
        and codes.shape == (3, 3)
        and qkv.shape[1] == 3 * wide
        and wide % depth == 0
        and query.numel() == len(gather) * wide
        and gathers(gather, len(qkv), length)
    )


def _values_in_c(
    kernels: Library,
    qkv: Tensor,
    gather: Tensor,
    codes: Tensor,
    query: Tensor,
    key: Tensor,
    value: Tensor,
) -> None:
    _, length, depth = query.shape
    windows = len(gather) // length
    q, k, v = map(address, codes)
    shape = AttentionStruct(
        images=1,
        rows=len(qkv),
        windows=windows,
        length=length,
        heads=qkv.shape[1] // 3 // depth,
        depth=depth,
        gather=address(gather, torch.int64),
        query=q,
        key=k,
        value=v,
    )
    kernels.call(
        'window_values',
        qkv,
        shape,
        0,
        windows,
        query,
        key,
        value,
        torch.get_num_threads(),
    )


# Q, K and V as q - z: qkv (R, 3 * C) of one image, gather (W * N,) int64 the
# row of each position, codes scale, -z and 2^b - 1 - z of each, (3, 3), to
# query, key and value, (W * heads, N, C / heads)
window_values = operator(
    'window_values(Tensor qkv, Tensor gather, Tensor codes, '
    'Tensor(a!) query, Tensor(b!) key, Tensor(c!) value) -> ()',
    _values_in_torch,
    _values_in_c,
    _values_fit,
    nothing,
)


def _outputs_in_torch(
    sums: Tensor, steps: Tensor, gather: Tensor, scale: Tensor, out: Tensor
) -> None:
    _, length, depth = sums.shape
    scaled = sums * (steps.view(sums.shape[:2]) * scale)[..., None]
    tokens = scaled.view(-1, out.shape[1] // depth, length, depth)
    tokens = tokens.transpose(1, 2).reshape(len(gather), -1)
    real = gather < len(out)  # padding goes nowhere
    out[gather[real]] = tokens[real]


def _outputs_fit(
    sums: Tensor, steps: Tensor, gather: Tensor, scale: Tensor, out: Tensor
) -> bool:
    if sums.dim() != 3 or out.dim() != 2 or not sums.numel():
        return False
    _, length, depth = sums.shape
    return (
        plain(torch.float32, sums, steps, scale, out)
        and scale.shape == (1,)
        and out.shape[1] % depth == 0
        and steps.numel() * depth == sums.numel()
        and sums.numel() == len(gather) * out.shape[1]
        and gathers(gather, len(out) + 1, length)
    )


def _outputs_in_c(
    kernels: Library,
    sums: Tensor,
    steps: Tensor,
    gather: Tensor,
    scale: Tensor,
    out: Tensor,
) -> None:
    _, length, depth = sums.shape
    windows = len(gather) // length
    shape = AttentionStruct(
        images=1,
        tokens=len(out),
        windows=windows,
        length=length,
        heads=out.shape[1] // depth,
        depth=depth,
        gather=address(gather, torch.int64),
        value=address(scale),
    )
    kernels.call(
        'window_outputs',
        sums,
        steps,
        shape,
        0,
        windows,
        out,
        torch.get_num_threads(),
    )


# sums (W * heads, N, C / heads) times steps (W, heads, N) and scale (1,), to
# out (L, C) at gather (W * N,) int64, where L stands for a padded token
window_outputs = operator(
    'window_outputs(Tensor sums, Tensor steps, Tensor gather, '
    'Tensor scale, Tensor(a!) out) -> ()',
    _outputs_in_torch,
    _outputs_in_c,
    _outputs_fit,
    nothing,
)
