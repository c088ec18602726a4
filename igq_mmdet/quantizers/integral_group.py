"""Groups whose steps are integer multiples of one (method, section 8)."""

import torch
from torch import Tensor

from .channel_group import ChannelGroupQuantizer
from .uniform import max_code

# s_0 keeps this many bits of mantissa, so that every m_i * s_0 is exact in
# float32.
BASE_MANTISSA = 16


def max_multiple(bits: int) -> int:
    """The largest m for which ``m * code`` is an unsigned byte."""
    return 255 // max_code(bits)


def round_base(scale: Tensor) -> Tensor:
    """The nearest base step, of ``BASE_MANTISSA`` bits, same shape."""
    mantissa, exponent = torch.frexp(scale)
    steps = 2.0**BASE_MANTISSA
    return torch.ldexp(torch.round(mantissa * steps) / steps, exponent)


class IntegralGroupQuantizer(ChannelGroupQuantizer):
    """Channel groups with ``s_i = m_i * s_0``, m_i at most 255 / (2^b - 1).

    An extension, never to be called IGQ: ``m_{g(c)} * code`` is a byte, so
    a layer is one integer product whatever the grouping of an image.

    Attributes:
        base_scale (Tensor): s_0, (1,), float32.
        multiple (Tensor): m_i, (G,), float32 with integers.
    """

    base_scale: Tensor
    multiple: Tensor

    def __init__(
        self, bits: int, groups: int, strict_zero_point: bool = False
    ) -> None:
        super().__init__(bits, groups, strict_zero_point)
        self.register_buffer('base_scale', torch.ones(1))
        self.register_buffer('multiple', torch.ones(groups), persistent=False)

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
    def grid_step(self) -> Tensor | None:
        return self.base_scale

    def grid(self, counted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        groups = self.assign(counted)
        return (
            self.scale[groups],
            self.zero_point[groups],
            self.multiple[groups],
        )

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
