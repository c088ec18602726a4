"""``igq_integral``: groups whose steps are multiples of one (section 8).

An extension, never to be called IGQ: ``m_{g(c)} * code`` is a byte, so a
layer is one integer product whatever the grouping of an image. A softmax
row lies in one group, so that any scale leaves the product with V integer:
rows need no common step and are those of ``igq``.
"""

import torch
from torch import Tensor

from ..fitting.expected_error import fit_ranges
from ..fitting.kmeans import MAX_ROUNDS, fit_groups
from ..observers import ChannelRanges
from ..quantizers import ActivationQuantizer, FitSettings, max_code
from .base import METHODS
from .igq import IGQ, ChannelGroupQuantizer

# s_0 keeps this many bits of mantissa, so that every m_i * s_0 is exact in
# float32.
BASE_MANTISSA = 16
CANDIDATES = 96  # base steps tried on the groups that k-means found
FINALISTS = 8  # base steps for which the groups are fitted anew
# |z| stays under 2**24, so that float32 holds every code exactly
MIN_RELATIVE_STEP = 2.0**-16


def max_multiple(bits: int) -> int:
    """The largest m for which ``m * code`` is an unsigned byte."""
    return 255 // max_code(bits)


def round_base(scale: Tensor) -> Tensor:
    """The nearest base step, of ``BASE_MANTISSA`` bits, same shape."""
    mantissa, exponent = torch.frexp(scale)
    steps = 2.0**BASE_MANTISSA
    return torch.ldexp(torch.round(mantissa * steps) / steps, exponent)


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


class IntegralGroupQuantizer(ChannelGroupQuantizer):
    """Channel groups with ``s_i = m_i * s_0``, m_i at most 255 / (2^b - 1).

    Attributes:
        base_scale (Tensor): s_0, (1,), float32.
        multiple (Tensor): m_i, (G,), float32 with integers.
    """

    form = 'common_step'
    batched = True
    base_scale: Tensor
    multiple: Tensor

    def __init__(
        self, bits: int, groups: int, strict_zero_point: bool = False
    ) -> None:
        super().__init__(bits, groups, strict_zero_point)
        self.register_buffer('base_scale', torch.ones(1))
        self.register_buffer('multiple', torch.ones(groups), persistent=False)

    def fit(
        self, observer: ChannelRanges, settings: FitSettings
    ) -> tuple[Tensor, ...]:
        """See :func:`fit_integral`."""
        lower, upper, counts = observer.points()
        if self.ranges == 'fitted':
            # of these ranges the nearest that have a common step
            found = fit_ranges(lower, upper, self.groups, self.bits, counts)
            lower, upper = found.lower.float(), found.upper.float()
            counts = torch.ones_like(lower)
        return fit_integral(
            lower,
            upper,
            self.groups,
            self.bits,
            self.strict_zero_point,
            settings.m_step,
            counts,
        )

    def set_bounds(
        self, lower: Tensor, upper: Tensor, base_scale: Tensor | None = None
    ) -> None:
        """Fixes the bounds and the step they are multiples of.

        Args:
            lower (Tensor): ``-z_i * m_i * s_0``, (G,).
            upper (Tensor): ``(2^b - 1 - z_i) * m_i * s_0``, (G,).
            base_scale (Tensor, optional): s_0 from :func:`round_base`,
                (1,). Defaults to the one it has.
        """
        if base_scale is not None:
            self.base_scale.copy_(base_scale)
        super().set_bounds(lower, upper)

    @property
    def grid_step(self) -> Tensor:
        return self.base_scale

    def grid(self, counted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        groups = self.assign(counted)
        return (
            self.scale[groups],
            self.zero_point[groups],
            self.multiple[groups],
        )

    def largest_factor(self) -> int:
        return int((self._reach() * self.multiple.double()).max())

    def refresh(self) -> None:
        """Recovers the integers m_i and z_i from the bounds and s_0."""
        top = max_code(self.bits)
        span = (self.upper.double() - self.lower.double()) / top
        multiple = torch.round(span / self.base_scale.double())
        self.multiple.copy_(multiple.clamp_(1, max_multiple(self.bits)))
        self.scale.copy_(self.multiple * self.base_scale)
        zero_point = torch.round(-self.lower.double() / self.scale.double())
        if self.strict_zero_point:
            zero_point.clamp_(0, top)
        self.zero_point.copy_(zero_point)
        self.ready = True


@METHODS.register_module('igq_integral')
class IGQIntegral(IGQ):
    """Like ``igq``, with group steps that are multiples of one."""

    def inputs(
        self, bits: int, groups: int, strict: bool, channels: int
    ) -> ActivationQuantizer:
        return IntegralGroupQuantizer(bits, groups, strict)
