"""A layer whose channels share one step: one integer product."""

from torch import Tensor

from ..kernels.weights import PANEL, panels
from ..operators.linear import linear
from ..quantizers import ActivationQuantizer, max_code
from .weights import IntegerWeight, PackedWeight


class CommonStepProduct(PackedWeight):
    """The product of one layer (method, section 6, ``igq_integral``).

    Args:
        weight (IntegerWeight): (D, K).
        quantizer (ActivationQuantizer): Of the input.
    """

    def __init__(
        self, weight: IntegerWeight, quantizer: ActivationQuantizer
    ) -> None:
        laid_out = panels(weight.codes, PANEL)
        super().__init__(weight, laid_out, quantizer.grid_step)

    def forward(
        self, values: Tensor, counted: Tensor, quantizer: ActivationQuantizer
    ) -> Tensor:
        """Computes images of one size.

        Args:
            values (Tensor): Their tokens, float32, (I, N, K).
            counted (Tensor): Those statistics are taken from, (I, M, K).
            quantizer (ActivationQuantizer): Of the input.

        Returns:
            Tensor: (I, N, D).
        """
        rows = (-1, values.shape[-1])
        scale, zero_point, multiple = (
            part.expand(rows if part.dim() > 1 else (1, *rows[1:]))
            for part in quantizer.grids(counted)
        )
        low = -zero_point
        how = (scale, low, low + max_code(quantizer.bits), multiple)
        out: Tensor = linear(
            values, *(part.contiguous() for part in how), *self.operands()
        )
        return out
