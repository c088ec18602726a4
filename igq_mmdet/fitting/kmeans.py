"""k-means in the plane of (minimum, maximum) points (method, section 2)."""

from dataclasses import dataclass

import torch
from torch import Tensor

M_STEPS = ('mean', 'envelope')
MAX_ROUNDS = 100


@dataclass(frozen=True)
class Groups:
    """Fitted groups, sorted by range.

    Args:
        lower (Tensor): Lower bounds, (G,), float64.
        upper (Tensor): Upper bounds, (G,), float64.
        losses (tuple[float, ...]): Sum of squared distances after every
            assignment; it never rises with ``m_step='mean'``.
    """

    lower: Tensor
    upper: Tensor
    losses: tuple[float, ...]


def fit_groups(
    lower: Tensor,
    upper: Tensor,
    groups: int,
    weights: Tensor | None = None,
    m_step: str = 'mean',
) -> Groups:
    """Fits ``groups`` bounds to points; deterministic.

    Args:
        lower (Tensor): Minima, (P,).
        upper (Tensor): Maxima, (P,).
        groups (int): Number of groups, G.
        weights (Tensor, optional): How often each point occurred, (P,).
            Defaults to once.
        m_step (str): ``mean`` of the minima and maxima of a group's
            points, or their ``envelope``. Defaults to ``mean``.

    Returns:
        Groups: With ``G >= P`` every point has a group of its own and the
        rest repeat the widest.

    Raises:
        ValueError: No points, or an unknown M-step.
    """
    if lower.numel() == 0:
        raise ValueError('no points to fit groups to')
    check_m_step(m_step)
    points = torch.stack([lower, upper], 1).double()
    mass = torch.ones(len(points), dtype=torch.float64)
    if weights is not None:
        mass = weights.double()
    points, mass = _by_range(points, mass)
    if groups >= len(points):
        last = points[-1:].expand(groups - len(points), 2)
        centers = torch.cat([points, last])
        return Groups(centers[:, 0], centers[:, 1], (0.0,))
    centers, losses = _lloyd(points, mass, groups, m_step)
    centers, _ = _by_range(centers, centers[:, 0])
    return Groups(centers[:, 0].clone(), centers[:, 1].clone(), tuple(losses))


def check_m_step(m_step: str) -> None:
    """Raises ValueError unless it is one of ``M_STEPS``."""
    if m_step not in M_STEPS:
        raise ValueError(f'm_step must be one of {M_STEPS}, got {m_step!r}')


def _by_range(points: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    # ties in the range are broken by the bounds, for determinism whatever
    # order the points came in
    order = torch.argsort(points[:, 0], stable=True)
    order = order[torch.argsort(points[order, 1], stable=True)]
    span = (points[:, 1] - points[:, 0])[order]
    order = order[torch.argsort(span, stable=True)]
    return points[order], mass[order]


def _start(points: Tensor, mass: Tensor, groups: int) -> Tensor:
    """Cuts points sorted by range into equal counts."""
    before = mass.cumsum(0) - mass
    total = float(mass.sum())
    member = (before * groups / total).long().clamp_(max=groups - 1)
    return member


def _lloyd(
    points: Tensor, mass: Tensor, groups: int, m_step: str
) -> tuple[Tensor, list[float]]:
    member = _start(points, mass, groups)
    # weights can leave a group empty from the start: it is nobody's nearest
    # and so re-seeded
    centers = torch.full((groups, 2), torch.inf, dtype=torch.float64)
    # what float64 leaves of a loss of zero
    rounding = float(mass.sum() * (points.abs().amax() * 2.0**-48) ** 2)
    losses: list[float] = []
    for _ in range(MAX_ROUNDS):
        centers = _update(points, mass, member, centers, m_step)
        distance = _distances(points, centers)
        nearest, previous = distance.min(1), member
        member, served = nearest.indices, nearest.values
        empty = torch.bincount(member, minlength=groups) == 0
        for group in empty.nonzero()[:, 0].tolist():
            worst = int((served * mass).argmax())
            if served[worst] == 0:
                break  # every point is met exactly; the group stays empty
            centers[group] = points[worst]
            fresh = _distances(points, centers[group : group + 1])[:, 0]
            closer = fresh < served
            member = torch.where(closer, group, member)
            served = torch.where(closer, fresh, served)
        losses.append(float((served * mass).sum()))
        if m_step == 'mean' and len(losses) > 1:
            allowed = losses[-2] * (1 + 1e-12) + rounding
            assert losses[-1] <= allowed, 'k-means loss rose'
        if torch.equal(member, previous):
            break
    # fewer distinct points than groups: the rest repeat the widest
    unused = centers[:, 0].isinf()
    span = (centers[:, 1] - centers[:, 0]).masked_fill(unused, -1)
    widest = centers[span.argmax()]
    return torch.where(unused[:, None], widest, centers), losses


def _distances(points: Tensor, centers: Tensor) -> Tensor:
    """Squared distances, (P, G)."""
    low = points[:, :1] - centers[:, 0]
    high = points[:, 1:] - centers[:, 1]
    return high.square_().add_(low.square_())


def _update(
    points: Tensor, mass: Tensor, member: Tensor, centers: Tensor, m_step: str
) -> Tensor:
    """New centers; a group without points keeps its own."""
    groups = len(centers)
    if m_step == 'mean':
        total = mass.new_zeros(groups).index_add_(0, member, mass)
        sums = torch.zeros_like(centers).index_add_(
            0, member, points * mass[:, None]
        )
        new = sums / total[:, None]
        return torch.where(total[:, None] > 0, new, centers)
    low = centers[:, 0].scatter_reduce(
        0, member, points[:, 0], 'amin', include_self=False
    )
    high = centers[:, 1].scatter_reduce(
        0, member, points[:, 1], 'amax', include_self=False
    )
    return torch.stack([low, high], 1)
