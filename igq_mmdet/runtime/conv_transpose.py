"""Transposed convolutions whose patches do not overlap, on integer codes."""

import torch
from torch import Tensor

from ..modules.layers.conv_transpose import QuantConvTranspose2d
from ..operators.conv import Geometry
from .conv_product import ConvProduct
from .integer_form import IntegerForm
from .weights import IntegerWeight


class IntegerConvTranspose2d(IntegerForm, QuantConvTranspose2d):
    """Computes what a frozen ``QuantConvTranspose2d`` simulates.

    With the kernel as large as the stride, every output stems from one
    input: a 1x1 convolution with kh * kw times the outputs, rearranged.
    """

    @classmethod
    def refuses(cls, layer: QuantConvTranspose2d) -> str | None:
        if tuple(layer.kernel_size) != tuple(layer.stride):
            return 'its patches overlap or leave gaps'
        if any(layer.padding) or any(layer.output_padding):
            return 'it pads or crops'
        if set(layer.dilation) != {1}:
            return 'it is dilated'
        return None

    @classmethod
    def integer_weight(cls, layer: QuantConvTranspose2d) -> IntegerWeight:
        """One row an output and place in its patch, (D * kh * kw, C)."""
        codes = layer.weight_codes  # (C, D, kh, kw)
        patch = codes.shape[2] * codes.shape[3]
        bias = layer.bias
        return IntegerWeight.from_layer(
            codes.permute(1, 2, 3, 0).flatten(0, 2),
            layer.weight_scale.repeat_interleave(patch, 0),
            layer.weight_zero_point.repeat_interleave(patch, 0),
            None if bias is None else torch.repeat_interleave(bias, patch),
            layer.config.w_bits,
        )

    def prepare(self, weight: IntegerWeight) -> None:
        self.product = ConvProduct(
            weight, self.in_channels, self.input_quantizer, Geometry()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, kh * H, kw * W), float32 on a CPU."""
        if x.dim() != 4 or not self.takes(x, 1, self.in_channels):
            return super().forward(x)
        out = self.product(x).unflatten(1, (-1, *self.kernel_size))
        # (B, D, kh, kw, H, W) to (B, D, H, kh, W, kw)
        out = out.permute(0, 1, 4, 2, 5, 3)
        return out.flatten(4, 5).flatten(2, 3)
