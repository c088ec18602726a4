"""From sums over integers to outputs of a layer, as the kernels do it."""

import torch
from torch import Tensor

from ...kernels import without_values
from ...operators.rescale import rescale as rescale_operator


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
        Tensor: ``sums``; callers go on with what is returned.
    """
    if bias is None:
        bias = torch.zeros_like(scale)
    if without_values(sums):
        shape = (-1,) + (1,) * (-1 - axis)
        return sums * scale.view(shape) + bias.view(shape)
    rescale_operator(sums, scale, bias, axis)
    return sums
