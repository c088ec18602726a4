"""``igq::values``: what the codes of values stand for."""

import torch
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.guard import share_partly
from ..kernels.structs import CodesStruct
from .definition import nothing, operator, plain

# Elements handled at a time, so that a chain of in-place steps stays in L2.
TILE = 1 << 17


def _in_torch(
    x: Tensor,
    scale: Tensor,
    low: Tensor,
    high: Tensor,
    step: Tensor,
    out: Tensor,
) -> None:
    rows = len(x)
    if x.is_cpu:
        rows = max(1, TILE * torch.get_num_threads() // max(x.shape[-1], 1))
    per_row = scale.dim() == 2
    for start in range(0, len(x), max(rows, 1)):
        block = slice(start, start + rows)
        part = block if per_row else slice(None)
        torch.div(x[block], scale[part], out=out[block])
        out[block].round_().clamp_(low[part], high[part]).mul_(step[part])


def _fits(x: Tensor, *args: Tensor) -> bool:
    *how, out = args
    scale = tuple(how[0].shape)
    return (
        x.dim() == 2
        and out.shape == x.shape
        and plain(torch.float32, x, out)
        and all(p.dtype is torch.float32 for p in how)
        and scale in ((), (1,), (1, 1), tuple(x.shape[1:]), (x.shape[0], 1))
        and all(p.shape == how[0].shape or p.numel() == 1 for p in how)
    )


def _in_c(kernels: Library, x: Tensor, *args: Tensor) -> None:
    *how, out = args
    if share_partly(x, out):
        raise ValueError('out and x overlap; use x itself or another tensor')
    count = how[0].numel()
    own = [
        part
        if part.numel() == count and part.is_contiguous()
        else part.reshape(-1).expand(count).contiguous()
        for part in how
    ]
    # one scale for all, one a column or one a row
    kind = 0 if count == 1 else 1 if how[0].shape == x.shape[1:] else 2
    kernels.call(
        'values',
        x,
        *x.shape,
        CodesStruct(*map(address, own)),
        kind,
        out,
        torch.get_num_threads(),
    )


# clamp(round(x / scale), low, high) * step, x (N, K), the others one a
# column, (K,), one a row, (N, 1), or one for all
values = operator(
    'values(Tensor x, Tensor scale, Tensor low, Tensor high, Tensor step, '
    'Tensor(a!) out) -> ()',
    _in_torch,
    _in_c,
    _fits,
    nothing,
)
