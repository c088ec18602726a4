"""RepQ-ViT: softmax rows on a logarithmic scale of base sqrt(2)."""

import torch
from torch import Tensor

from ..kernels import recorded
from .base import ActivationQuantizer
from .uniform import max_code


@torch.no_grad()
def fake_quantize_log_sqrt2(
    x: Tensor, scale: Tensor, bits: int, out: Tensor | None = None
) -> Tensor:
    """Quantizes and dequantizes softmax outputs (arXiv 2212.08254, 3.4).

        q = max(round(-2 log2(x / s)), 0)     x_hat = s * 2^(-q / 2)

    and 0 where q exceeds 2^b - 1. For inference that is a shift: ``s' *
    2^floor(-q / 2)`` with ``s' = s`` for even q and ``s * sqrt(2)`` for odd
    q: the same numbers.

    The paper's formula clips q instead; its authors' released code, which
    their figures come from, has the 0. It is one value more than b bits
    hold, in favour of a rival; with clipping all small probabilities of a
    row would add up to several times the row at 3 bits.

    Args:
        x (Tensor): Values from 0 to 1, any shape.
        scale (Tensor): s, (1,).
        bits (int): Width of a code in bits.
        out (Tensor, optional): Where to write; may be ``x``. Defaults to a
            new tensor.

    Returns:
        Tensor: ``out``.
    """
    out = x / scale if recorded() else torch.div(x, scale, out=out)
    out.log2_().mul_(-2).round_().clamp_(min=0)
    nothing = out > max_code(bits)
    return out.mul_(-0.5).exp2_().mul_(scale).masked_fill_(nothing, 0)


class LogSqrt2Quantizer(ActivationQuantizer):
    """One scale a layer; 2^b levels that are sqrt(2) apart, and 0."""

    observes = 'histogram'

    def refresh(self) -> None:
        """The upper bound is the scale."""
        self.scale.copy_(self.upper)
        self.ready = True

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        return fake_quantize_log_sqrt2(x, self.scale, self.bits, out)
