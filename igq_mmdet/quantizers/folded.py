"""RepQ-ViT: one quantizer for channels that a LayerNorm has evened out."""

import torch
from torch import Tensor

from .static import StaticQuantizer
from .uniform import max_code, qparams


class FoldedQuantizer(StaticQuantizer):
    """A per-tensor quantizer reparameterised from one a channel.

    Li et al., *RepQ-ViT* (arXiv 2212.08254), section 3.3: each channel has
    a scale ``s`` and a zero point ``z`` at calibration; the quantizer that
    remains has their means, and the LayerNorm before it yields

        (X + s * r2) / r1      r1 = s / mean(s)      r2 = z - mean(z)

    so that the codes are those of the quantizers of the channels. Folding
    r1 and r2 into the LayerNorm and the layer is done at calibration.

    Args:
        bits (int): Width of a code in bits.
        channels (int): Number of channels, C.
        strict_zero_point (bool): See :class:`ActivationQuantizer`.

    Attributes:
        zero (Tensor): What the float model's 0 has become, (C,): tokens
            that a block pads in after the LayerNorm.
    """

    observes = 'channel_histogram'
    zero: Tensor

    def __init__(
        self, bits: int, channels: int, strict_zero_point: bool = False
    ) -> None:
        super().__init__(bits, strict_zero_point)
        self.register_buffer('zero', torch.zeros(channels))

    def set_channel_bounds(
        self, lower: Tensor, upper: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fixes the bounds from those of the channels.

        Args:
            lower (Tensor): Lower bounds, (C,).
            upper (Tensor): Upper bounds, (C,).

        Returns:
            tuple[Tensor, Tensor]: ``r1`` and ``s * r2``, (C,) each,
            float64, to be folded.
        """
        scale, zero_point = qparams(
            lower, upper, self.bits, self.strict_zero_point
        )
        common = scale.double().mean().float().double()
        middle = zero_point.double().mean().round()
        self.set_bounds(
            (-middle * common).float().reshape(1),
            ((max_code(self.bits) - middle) * common).float().reshape(1),
        )
        # what float32 bounds leave of the mean
        common = self.scale.double()
        steps = zero_point.double() - middle
        self.zero.copy_(steps * common)
        return scale.double() / common, steps * scale.double()
