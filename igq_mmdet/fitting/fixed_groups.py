"""Fits groups of channels that no image changes (method, section 6)."""

import torch
from torch import Tensor

from ..spec import M_STEPS


def fit_fixed(
    means: Tensor,
    extremes: Tensor,
    groups: int,
    by_range: bool,
    m_step: str = 'mean',
) -> tuple[Tensor, Tensor, Tensor]:
    """Cuts channels into groups of equal counts and bounds each group.

    Args:
        means (Tensor): Mean minimum and mean maximum of each channel over
            images, (2, C).
        extremes (Tensor): Least minimum and largest maximum, (2, C).
        groups (int): Number of groups, G, at most C.
        by_range (bool): Cut the channels sorted by their mean
            range, not as they come.
        m_step (str): ``mean`` of the minima and maxima of all (image,
            channel) points of a group, or their ``envelope``. Defaults to
            ``mean``.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Lower and upper bounds, (G,),
        float32, and the group of each channel, (C,).
    """
    if m_step not in M_STEPS:
        raise ValueError(f'm_step must be one of {M_STEPS}, got {m_step!r}')
    low, high = means.double()
    channels = len(low)
    rank = torch.arange(channels)
    if by_range:
        order = torch.argsort(high - low, stable=True)
        rank = torch.empty_like(rank).index_copy_(0, order, rank)
    index = rank * groups // channels
    how = ('mean', 'mean')
    if m_step == 'envelope':
        how, (low, high) = ('amin', 'amax'), extremes.double()
    bounds = [
        low.new_zeros(groups).scatter_reduce(
            0, index, values, reduce, include_self=False
        )
        for values, reduce in zip((low, high), how, strict=True)
    ]
    return bounds[0].float(), bounds[1].float(), index
