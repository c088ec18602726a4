"""``igq::weight_values``: what the codes of a weight stand for."""

import torch
from torch import Tensor

from ..kernels.call import Library
from .definition import nothing, operator, plain


def _in_torch(
    codes: Tensor, scale: Tensor | None, zero_point: Tensor, out: Tensor
) -> None:
    torch.sub(codes, zero_point, out=out)
    if scale is not None:
        out.mul_(scale)


def _fits(
    codes: Tensor, scale: Tensor | None, zero_point: Tensor, out: Tensor
) -> bool:
    columns = [zero_point] if scale is None else [zero_point, scale]
    return (
        codes.dim() == 2
        and codes.dtype is torch.uint8
        and out.shape == codes.shape
        and plain(torch.float32, out)
        and all(
            c.dtype is torch.float32 and c.shape == (len(codes), 1)
            for c in columns
        )
    )


def _in_c(
    kernels: Library,
    codes: Tensor,
    scale: Tensor | None,
    zero_point: Tensor,
    out: Tensor,
) -> None:
    kernels.call(
        'weight_values',
        codes.contiguous(),
        *codes.shape,
        zero_point.contiguous(),
        scale if scale is None else scale.contiguous(),
        out,
        torch.get_num_threads(),
    )


# scale * (codes - zero_point), codes (D, K), the others (D, 1)
weight_values = operator(
    'weight_values(Tensor codes, Tensor? scale, Tensor zero_point, '
    'Tensor(a!) out) -> ()',
    _in_torch,
    _in_c,
    _fits,
    nothing,
)
