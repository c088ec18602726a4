"""A layer whose groups have steps of their own: a sum a group."""

from torch import Tensor

from ..kernels.weights import PANEL, channel_panels
from ..operators.grouped import grouped
from ..quantizers import ActivationQuantizer, max_code
from .weights import IntegerWeight, PackedWeight


class GroupedProduct(PackedWeight):
    """The product of one layer (method, section 2).

    Sums within a group are exact; group by group they are scaled and added
    in float32, as many additions as there are groups.

    Args:
        weight (IntegerWeight): (D, K).
        quantizer (ActivationQuantizer): Of the input.
    """

    def __init__(
        self, weight: IntegerWeight, quantizer: ActivationQuantizer
    ) -> None:
        weight = weight.centred()
        laid_out = channel_panels(weight.codes, PANEL)
        super().__init__(weight, laid_out, 1.0, max_code(quantizer.bits))

    def forward(
        self, values: Tensor, counted: Tensor, quantizer: ActivationQuantizer
    ) -> Tensor:
        """Computes images of one size, see :class:`CommonStepProduct`."""
        out: Tensor = grouped(
            values,
            quantizer.assigned(counted),
            quantizer.scale,
            quantizer.zero_point,
            max_code(quantizer.bits),
            *self.operands(),
        )
        return out
