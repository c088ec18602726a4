"""Ranges fitted to the bits: what a range is expected to lose.

Values inside a range lose the variance of its step, ``s^2 / 12``, those
outside what is cut off. Of the tokens of a channel few lie near its extreme:
``SHARE`` says how many are taken to lie there. An extension, not the paper's.
"""

import math

import torch
from torch import Tensor

from .kmeans import MAX_ROUNDS, Groups, fit_groups

SHARE = 0.05
# Extremes of other images lie outside those seen by this part of the range,
# on either side.
MARGIN = 0.05
SOLVES = 30  # active sets of the quadratic program of one group


def expected_error(
    lower: Tensor,
    upper: Tensor,
    group_lower: Tensor,
    group_upper: Tensor,
    bits: int,
) -> Tensor:
    """Mean squared error of channels in groups, but for a constant.

    Args:
        lower (Tensor): Minimum of each channel, (..., C).
        upper (Tensor): Maximum of each channel, (..., C).
        group_lower (Tensor): Lower bounds of the groups, (G,).
        group_upper (Tensor): Upper bounds of the groups, (G,).
        bits (int): Width of a code in bits.

    Returns:
        Tensor: (..., C, G), float64.
    """
    low, high = group_lower.double(), group_upper.double()
    above = (upper.double()[..., None] - high).clamp_(min=0).square_()
    below = (low - lower.double()[..., None]).clamp_(min=0).square_()
    return above.add_(below).mul_(SHARE).add_(_inside(low, high, bits))


def _inside(low: Tensor, high: Tensor, bits: int) -> Tensor:
    return ((high - low) / (2**bits - 1)).square() / 12


def fit_ranges(
    lower: Tensor,
    upper: Tensor,
    groups: int,
    bits: int,
    weights: Tensor | None = None,
    margin: float = MARGIN,
) -> Groups:
    """Fits groups to points by the error expected at these bits.

    Starts from k-means, then alternates: each point takes the group of
    least error, each group the range of least error over its points. The
    sum of errors never rises.

    Args:
        lower (Tensor): Minima, (P,).
        upper (Tensor): Maxima, (P,).
        groups (int): Number of groups, G.
        bits (int): Width of a code in bits.
        weights (Tensor, optional): How often each point occurred, (P,).
            Defaults to once.
        margin (float): How far points are widened first. Defaults to
            ``MARGIN``.

    Returns:
        Groups: Sorted by range.
    """
    start = fit_groups(lower, upper, groups, weights)
    wider = margin * (upper.double() - lower.double())
    low, high = lower.double() - wider, upper.double() + wider
    mass = torch.ones_like(low) if weights is None else weights.double()
    bounds = torch.stack([start.lower, start.upper])
    losses: list[float] = []
    for _ in range(MAX_ROUNDS):
        each = expected_error(low, high, bounds[0], bounds[1], bits)
        error, member = each.min(1)
        losses.append(float((error * mass).sum()))
        if len(losses) > 1 and losses[-1] >= losses[-2]:
            break
        bounds = _best_ranges(low, high, mass, member, bounds, bits)
    order = torch.argsort(bounds[1] - bounds[0], stable=True)
    found_low, found_high = bounds[:, order]
    return Groups(found_low, found_high, tuple(losses))


def _best_ranges(
    low: Tensor,
    high: Tensor,
    mass: Tensor,
    member: Tensor,
    bounds: Tensor,
    bits: int,
) -> Tensor:
    """The range of least error of every group, (2, G).

    The error is convex and quadratic between the points: which of them are
    cut off decides two linear equations. A group keeps what it has where
    they lead nowhere better, as one without points does.
    """
    groups = bounds.shape[1]

    def sums(values: Tensor) -> Tensor:
        return values.new_zeros(groups).index_add_(0, member, values)

    def loss(tried: Tensor) -> Tensor:
        own = tried[:, member]
        cut = (high - own[1]).clamp(min=0).square()
        cut += (own[0] - low).clamp(min=0).square()
        return sums(mass * (SHARE * cut + _inside(own[0], own[1], bits)))

    count = sums(mass)
    inside = count / (12 * SHARE * (2**bits - 1) ** 2)
    best, least = bounds, loss(bounds)
    tried = bounds
    for _ in range(SOLVES):
        own = tried[:, member]
        over, under = mass * (high >= own[1]), mass * (low <= own[0])
        above, below = sums(over), sums(under)
        # (inside + above) u - inside l = sum of cut maxima, and likewise
        determinant = above * below + inside * (above + below)
        top, bottom = sums(over * high), sums(under * low)
        solved = torch.stack(
            [
                inside * top + (inside + above) * bottom,
                inside * bottom + (inside + below) * top,
            ]
        )
        tried = torch.where(
            determinant > 0, solved / determinant.clamp(min=1e-300), tried
        )
        now = loss(tried)
        better = now < least
        if not better.any():
            break
        best = torch.where(better, tried, best)
        least = torch.where(better, now, least)
    return best


def error_edges(group_upper: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """What decides the group of least expected error of a row maximum.

    Args:
        group_upper (Tensor): Upper bounds of groups that begin at 0, (G,).
        bits (int): Width of a code in bits.

    Returns:
        tuple[Tensor, Tensor]: ``order`` (G,), which sorts the groups, and
        ``edges`` (G - 1,), ascending: a maximum between two edges takes the
        sorted group between them. A group that is never the best lies
        between equal edges.
    """
    ascending, order = torch.sort(group_upper, stable=True)
    upper: list[float] = ascending.double().tolist()
    best, start = [0], [-math.inf]
    for group in range(1, len(upper)):
        edge = _edge(upper[best[-1]], upper[group], bits)
        while edge <= start[-1]:
            best.pop(), start.pop()
            edge = _edge(upper[best[-1]], upper[group], bits)
        if edge < math.inf:
            best.append(group)
            start.append(edge)
    edges = torch.full((len(upper) - 1,), math.inf, dtype=torch.float64)
    for group, after, edge in zip(best, best[1:], start[1:], strict=False):
        edges[group:after] = edge
    return order, edges.to(group_upper)


def _edge(low: float, high: float, bits: int) -> float:
    """From which maximum on the higher of two groups loses less."""
    if low == high:
        return math.inf
    scale = 12 * SHARE * (2**bits - 1) ** 2
    worse = (high**2 - low**2) / scale  # of the higher one, inside
    edge = low + math.sqrt(worse)
    if edge <= high:
        return edge
    return (worse / (high - low) + low + high) / 2
