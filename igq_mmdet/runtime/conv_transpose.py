"""Transposed convolutions whose patches do not overlap, on integer codes."""

import torch
from torch import Tensor

from ..kernels.library import runs_here
from ..modules.conv_transpose import QuantConvTranspose2d
from .conv import ConvProduct
from .product import fits_int32
from .weights import IntegerWeight

_SHAPE = (
    'in_channels',
    'out_channels',
    'kernel_size',
    'stride',
    'padding',
    'output_padding',
    'dilation',
)


class IntegerConvTranspose2d(QuantConvTranspose2d):
    """Computes what a frozen ``QuantConvTranspose2d`` simulates.

    With the kernel as large as the stride, every output stems from one
    input: a 1x1 convolution with kh * kw times the outputs, rearranged.
    """

    _product: ConvProduct

    @classmethod
    def supports(cls, layer: QuantConvTranspose2d) -> str | None:
        """Why a layer cannot run on integers, or None if it can.

        Args:
            layer (QuantConvTranspose2d): Calibrated and frozen.
        """
        if tuple(layer.kernel_size) != tuple(layer.stride):
            return 'its patches overlap or leave gaps'
        if any(layer.padding) or any(layer.output_padding):
            return 'it pads or crops'
        if set(layer.dilation) != {1}:
            return 'it is dilated'
        if not fits_int32(_weight(layer), layer.input_quantizer):
            return 'its sums could exceed 32 bits'
        return None

    @classmethod
    def from_quantized(
        cls, layer: QuantConvTranspose2d
    ) -> 'IntegerConvTranspose2d':
        """Takes over a frozen layer.

        Args:
            layer (QuantConvTranspose2d): One that :meth:`supports`.
        """
        own = cls(layer.config, layer.weight_codes, layer.bias, 1)
        own.adopt_codes(
            layer.weight_codes, layer.weight_scale, layer.weight_zero_point
        )
        for name in _SHAPE:
            setattr(own, name, getattr(layer, name))
        own.input_quantizer = layer.input_quantizer
        own.workload = layer.workload
        own._product = ConvProduct(
            _weight(layer),
            layer.in_channels,
            layer.input_quantizer,
            (1, 1),
            (0, 0),
            (1, 1),
        )
        return own

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, kh * H, kw * W), float32 on a CPU."""
        if self.observing or not runs_here(x):
            return super().forward(x)
        out = self._product(x).unflatten(1, (-1, *self.kernel_size))
        # (B, D, kh, kw, H, W) to (B, D, H, kh, W, kw)
        out = out.permute(0, 1, 4, 2, 5, 3)
        return out.flatten(4, 5).flatten(2, 3)


def _weight(layer: QuantConvTranspose2d) -> IntegerWeight:
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
