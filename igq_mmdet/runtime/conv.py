"""Convolutions executed on integer codes."""

from torch import Tensor

from ..modules.layers.conv import QuantConv2d
from ..operators.conv import Geometry
from ..quantizers import max_code
from .conv_product import ConvProduct
from .integer_form import IntegerForm
from .weights import IntegerWeight


class IntegerConv2d(IntegerForm, QuantConv2d):
    """Computes what a frozen ``QuantConv2d`` simulates."""

    @classmethod
    def refuses(cls, layer: QuantConv2d) -> str | None:
        if layer.groups != 1:
            return 'it has groups'
        if isinstance(layer.padding, str) or layer.padding_mode != 'zeros':
            return 'its padding is not a number of zeros'
        quantizer = layer.input_quantizer
        zero = float(quantizer.zero_point)
        if any(layer.padding) and not 0 <= zero <= max_code(quantizer.bits):
            return 'the zeros it pads with have no code'
        return None

    def prepare(self, weight: IntegerWeight) -> None:
        names = ('kernel_size', 'stride', 'padding', 'dilation')
        self.product = ConvProduct(
            weight,
            self.in_channels,
            self.input_quantizer,
            Geometry(*(tuple(getattr(self, name)) for name in names)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W'), float32 on a CPU."""
        if x.dim() != 4 or not self.takes(x, 1, self.in_channels):
            return super().forward(x)
        return self.product(x)
