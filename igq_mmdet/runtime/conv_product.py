"""The product of a convolution of codes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels import library
from ..kernels.weights import PANEL, panels
from ..methods import StaticQuantizer
from ..operators.conv import Geometry, conv
from ..quantizers import max_code
from .weights import IntegerWeight, PackedWeight


class ConvProduct(PackedWeight):
    """A convolution of codes by the weights of one layer.

    Args:
        weight (IntegerWeight): (D, C * kh * kw), columns in that order.
        channels (int): C.
        quantizer (StaticQuantizer): Of the input.
        geometry (Geometry): Of the convolution.
    """

    how: Tensor

    def __init__(
        self,
        weight: IntegerWeight,
        channels: int,
        quantizer: StaticQuantizer,
        geometry: Geometry,
    ) -> None:
        taps = weight.codes.view(len(weight.scale), channels, -1)
        rows = F.pad(taps.transpose(1, 2), (0, -channels % 4)).flatten(1)
        kernels = library()
        size = PANEL if kernels is None else kernels.conv_panel
        super().__init__(weight, panels(rows, size), quantizer.scale)
        self.geometry = geometry
        low = -quantizer.zero_point
        high = low + max_code(quantizer.bits)
        how = (quantizer.scale, low, high, torch.ones_like(low))
        self.register_buffer('how', torch.stack(how), persistent=False)

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W')."""
        out: Tensor = conv(x, self.how, *self.operands(), *self.geometry)
        return out
