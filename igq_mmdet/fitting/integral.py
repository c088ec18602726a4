"""Fits groups whose steps are multiples of one (method, section 8)."""

import torch
from torch import Tensor

from ..quantizers import max_code, max_multiple, round_base
from .kmeans import MAX_ROUNDS, fit_groups

CANDIDATES = 96  # base steps tried on the groups that k-means found
FINALISTS = 8  # base steps for which the groups are fitted anew
# |z| stays under 2**24, so that float32 holds every code exactly
MIN_RELATIVE_STEP = 2.0**-16


def fit_integral(
    lower: Tensor,
    upper: Tensor,
    groups: int,
    bits: int,
    strict_zero_point: bool = False,
    m_step: str = 'mean',
    weights: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    """Chooses s_0, the m_i and the z_i together; deterministic.

    For every candidate s_0 each group takes the integers (m, z) whose range
    lies nearest to its points; the best candidates then alternate between
    assigning points and choosing integers, as k-means does, and the one
    with the least sum of squared distances wins.

    Args:
        lower (Tensor): Minima of channels, (P,).
        upper (Tensor): Maxima of channels, (P,).
        groups (int): Number of groups, G.
        bits (int): Width of a code in bits.
        strict_zero_point (bool): Clip zero points to the range of the
            codes. Defaults to False.
        m_step (str): Of the k-means the search starts from. Defaults to
            ``mean``.
        weights (Tensor, optional): How often each point occurred, (P,).
            Defaults to once.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Lower and upper bounds, (G,), and
        s_0, (1,), float32.
    """
    start = fit_groups(lower, upper, groups, weights, m_step)
    points = torch.stack([lower, upper], 1).double()
    often = torch.ones_like(points[:, 0])
    if weights is not None:
        often = weights.double()
    centers = torch.stack([start.lower, start.upper], 1)
    bases = _candidates(centers, bits)
    member = _nearest(points, often, centers[None])[0]
    mass, mean = _moments(points, often, member, groups)
    mean = torch.where(mass[..., None] > 0, mean, centers[None])
    fitted = _integers(mean, bases, bits, strict_zero_point)
    off = ((fitted - mean).square().sum(-1) * mass).sum(-1)
    kept = torch.argsort(off, stable=True)[:FINALISTS]
    bases, fitted = bases[kept], fitted[kept]
    best: tuple[float, Tensor, Tensor] | None = None
    for base, own in zip(bases, fitted, strict=True):
        loss, own = _alternate(
            points, often, own, base, bits, strict_zero_point
        )
        if best is None or loss < best[0]:
            best = loss, own, base
    assert best is not None
    _, found, base = best
    return found[:, 0].float(), found[:, 1].float(), base.float().reshape(1)


def _candidates(centers: Tensor, bits: int) -> Tensor:
    """Base steps from half of what the widest group needs, (S,)."""
    span = float((centers[:, 1] - centers[:, 0]).amax())
    largest = float(centers.abs().amax())
    if span <= largest * MIN_RELATIVE_STEP or span < 1e-8:
        # constants only: one of them is met exactly
        step = torch.tensor([largest if largest > 1e-8 else 1.0])
        return round_base(step).double()
    widest = span / max_code(bits)
    ends = torch.tensor([0.5 / max_multiple(bits), 1.5]).log()
    factors = torch.linspace(
        float(ends[0]), float(ends[1]), CANDIDATES, dtype=torch.float64
    ).exp()
    floor = largest * MIN_RELATIVE_STEP / max_code(bits)
    return round_base((factors * widest).clamp(min=floor).float()).double()


def _integers(mean: Tensor, bases: Tensor, bits: int, strict: bool) -> Tensor:
    """The nearest representable range of each group.

    Args:
        mean (Tensor): Mean (minimum, maximum), (1 or S, G, 2), float64.
        bases (Tensor): (S,).

    Returns:
        Tensor: (lower, upper) of the best (m, z), (S, G, 2).
    """
    top = max_code(bits)
    multiples = torch.arange(
        1, max_multiple(bits) + 1, dtype=torch.float64, device=mean.device
    )
    step = bases[:, None, None] * multiples  # (S, 1, M)
    low, high = mean[..., :1], mean[..., 1:]
    zero_point = torch.round((top - (low + high) / step) / 2)
    if strict:
        zero_point = zero_point.clamp(0, top)
    ranges = torch.stack([-zero_point * step, (top - zero_point) * step], -1)
    off = (ranges - mean[..., None, :]).square().sum(-1)
    best = off.argmin(-1)[..., None, None].expand(-1, -1, 1, 2)
    return ranges.gather(2, best)[:, :, 0]


def _alternate(
    points: Tensor,
    often: Tensor,
    centers: Tensor,
    base: Tensor,
    bits: int,
    strict: bool,
) -> tuple[float, Tensor]:
    """k-means whose centers are representable; the loss never rises."""
    previous = float('inf')
    for _ in range(MAX_ROUNDS):
        member, loss = _nearest(points, often, centers[None])
        if float(loss[0]) >= previous:
            break
        previous = float(loss[0])
        best = centers
        mass, mean = _moments(points, often, member, len(centers))
        fitted = _integers(mean, base[None], bits, strict)[0]
        centers = torch.where(mass[0, :, None] > 0, fitted, centers)
    return previous, best


def _nearest(
    points: Tensor, often: Tensor, centers: Tensor
) -> tuple[Tensor, Tensor]:
    """Groups of points, (S, P), and sums of squared distances, (S,)."""
    distance = (
        (points[None, :, None, 0] - centers[:, None, :, 0]).square_()
    ).add_((points[None, :, None, 1] - centers[:, None, :, 1]).square_())
    nearest = distance.min(-1)
    return nearest.indices, (nearest.values * often).sum(-1)


def _moments(
    points: Tensor, often: Tensor, member: Tensor, groups: int
) -> tuple[Tensor, Tensor]:
    """Points a group has, (1, G), and their mean, (1, G, 2)."""
    member = member.view(-1)
    mass = points.new_zeros(groups).index_add_(0, member, often)
    sums = points.new_zeros(groups, 2).index_add_(
        0, member, points * often[:, None]
    )
    return mass[None], (sums / mass.clamp(min=1)[:, None])[None]
