"""One quantizer for a whole tensor, bounds fixed at calibration."""

from torch import Tensor

from .base import ActivationQuantizer
from .uniform import fake_quantize


class StaticQuantizer(ActivationQuantizer):
    """Per-tensor quantizer (method, section 1, static activations).

    Args:
        bits (int): Width of a code in bits.
        strict_zero_point (bool): See :class:`ActivationQuantizer`.
        nonnegative (bool): Fix the lower bound at 0, for softmax outputs.
            Defaults to False.
    """

    observes = 'histogram'

    def __init__(
        self,
        bits: int,
        strict_zero_point: bool = False,
        nonnegative: bool = False,
    ) -> None:
        super().__init__(bits, 1, strict_zero_point)
        self.nonnegative = nonnegative

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        if out is not None:
            fake_quantize(
                rows,
                self.scale,
                self.zero_point,
                self.bits,
                out.view(rows.shape),
            )
            return out
        return fake_quantize(
            rows, self.scale, self.zero_point, self.bits
        ).view(x.shape)
