"""Groups of channels, chosen anew for every instance (method, section 2)."""

from torch import Tensor

from .base import ActivationQuantizer
from .uniform import column_bounds, fake_quantize, qparams


def assign_channels(
    lower: Tensor, upper: Tensor, group_lower: Tensor, group_upper: Tensor
) -> Tensor:
    """The group of each channel: ``argmin_i (hi-u_i)^2 + (lo-l_i)^2``.

    Distances are taken in float64, so that ties are true ties; the lowest
    index wins them.

    Args:
        lower (Tensor): Minimum of each channel, (C,).
        upper (Tensor): Maximum of each channel, (C,).
        group_lower (Tensor): Lower bounds of the groups, (G,).
        group_upper (Tensor): Upper bounds of the groups, (G,).

    Returns:
        Tensor: Group indices, (C,), int64.
    """
    low = lower.double()[:, None] - group_lower.double()
    high = upper.double()[:, None] - group_upper.double()
    return high.square_().add_(low.square_()).argmin(1)


class ChannelGroupQuantizer(ActivationQuantizer):
    """G fixed quantizers; each channel of an instance takes the nearest."""

    observes = 'channel_ranges'

    def assign(self, x: Tensor) -> Tensor:
        """Groups of the channels of ``x``.

        Args:
            x (Tensor): Counted tokens of one instance, (N, C).

        Returns:
            Tensor: Group indices, (C,).
        """
        lower, upper = column_bounds(x)
        return assign_channels(lower, upper, self.lower, self.upper)

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        groups = self.assign(counted if counted.numel() else x)
        return fake_quantize(
            x, self.scale[groups], self.zero_point[groups], self.bits, out
        )


class ChannelBoundQuantizer(ActivationQuantizer):
    """The upper bound: every channel gets its own range of this instance.

    A reference point of the paper's ablations, not a method one can run.
    """

    observes = 'presence'

    def __init__(self, bits: int, strict_zero_point: bool = False) -> None:
        super().__init__(bits, 0, strict_zero_point)

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        lower, upper = column_bounds(counted if counted.numel() else x)
        scale, zero_point = qparams(
            lower, upper, self.bits, self.strict_zero_point
        )
        return fake_quantize(x, scale, zero_point, self.bits, out)
