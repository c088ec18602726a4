"""Fits groups of channels that no image changes (method, section 6)."""

import torch
from torch import Tensor

from ..spec import M_STEPS


def fit_fixed(
    lower: Tensor,
    upper: Tensor,
    groups: int,
    by_range: bool,
    m_step: str = 'mean',
) -> tuple[Tensor, Tensor, Tensor]:
    """Cuts channels into groups of equal counts and bounds each group.

    Args:
        lower (Tensor): Minimum of each channel of each image, (I, C).
        upper (Tensor): Maximum of each channel of each image, (I, C).
        groups (int): Number of groups, G, at most C.
        by_range (bool): Cut the channels sorted by their mean range over
            images, not as they come.
        m_step (str): ``mean`` of the minima and maxima of all (image,
            channel) points of a group, or their ``envelope``. Defaults to
            ``mean``.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Lower and upper bounds, (G,),
        float32, and the group of each channel, (C,).
    """
    if m_step not in M_STEPS:
        raise ValueError(f'm_step must be one of {M_STEPS}, got {m_step!r}')
    low, high = lower.double(), upper.double()
    channels = low.shape[1]
    rank = torch.arange(channels)
    if by_range:
        order = torch.argsort((high - low).mean(0), stable=True)
        rank = torch.empty_like(rank).index_copy_(0, order, rank)
    index = rank * groups // channels
    if m_step == 'mean':
        how, low, high = ('mean', 'mean'), low.mean(0), high.mean(0)
    else:
        how, low, high = ('amin', 'amax'), low.amin(0), high.amax(0)
    bounds = [
        low.new_zeros(groups).scatter_reduce(
            0, index, values, reduce, include_self=False
        )
        for values, reduce in zip((low, high), how, strict=True)
    ]
    return bounds[0].float(), bounds[1].float(), index
