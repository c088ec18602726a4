"""From sums over integers to outputs of a layer, as the kernels do it."""

import torch
from torch import Tensor

from ...kernels import library, runs_here


@torch.no_grad()
def rescale(
    sums: Tensor, scale: Tensor, bias: Tensor | None, axis: int
) -> Tensor:
    """``sums * scale + bias`` in place, product and sum rounded apart.

    Args:
        sums (Tensor): Owned by the caller.
        scale (Tensor): One an output channel, (D,).
        bias (Tensor, optional): (D,). Defaults to zeros.
        axis (int): The dimension of output channels, counted from the end.

    Returns:
        Tensor: ``sums``.
    """
    if bias is None:
        bias = torch.zeros_like(scale)
    kernels = library() if runs_here(sums, scale, bias) else None
    inside = sums.shape[sums.dim() + axis + 1 :]
    each = (sums.shape[axis],)
    if (
        kernels is None
        or not sums.is_contiguous()
        or not scale.shape == bias.shape == each
    ):
        shape = (-1,) + (1,) * len(inside)
        return sums.mul_(scale.view(shape)).add_(bias.view(shape))
    if not sums.numel():
        return sums
    channels, plane = scale.shape[0], inside.numel()
    kernels.call(
        'rescale',
        sums,
        sums.numel() // (channels * plane),
        channels,
        plane,
        scale.contiguous(),
        bias.detach().contiguous(),
        torch.get_num_threads(),
    )
    return sums
