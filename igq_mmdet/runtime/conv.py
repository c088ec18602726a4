"""Convolutions of stride 1 executed on integer codes."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels.library import ConvStruct, library, runs_here
from ..modules.conv import QuantConv2d
from ..quantizers import max_code
from .product import exact_product, fits_int32
from .weights import ChannelCodes, IntegerWeight, panels

_SHAPE = (
    'in_channels',
    'out_channels',
    'kernel_size',
    'stride',
    'padding',
    'dilation',
    'groups',
    'padding_mode',
    '_reversed_padding_repeated_twice',
)


class IntegerConv2d(QuantConv2d):
    """Computes what a frozen ``QuantConv2d`` simulates."""

    _product: 'ConvProduct'

    @classmethod
    def supports(cls, layer: QuantConv2d) -> str | None:
        """Why a layer cannot run on integers, or None if it can.

        Args:
            layer (QuantConv2d): Calibrated and frozen.
        """
        if set(layer.stride) != {1}:
            return 'its stride is not 1'
        if layer.groups != 1:
            return 'it has groups'
        if isinstance(layer.padding, str) or layer.padding_mode != 'zeros':
            return 'its padding is not a number of zeros'
        quantizer = layer.input_quantizer
        zero = float(quantizer.zero_point)
        if any(layer.padding) and not 0 <= zero <= max_code(quantizer.bits):
            return 'the zeros it pads with have no code'
        if not fits_int32(_weight(layer), quantizer):
            return 'its sums could exceed 32 bits'
        return None

    @classmethod
    def from_quantized(cls, layer: QuantConv2d) -> 'IntegerConv2d':
        """Takes over a frozen layer.

        Args:
            layer (QuantConv2d): One that :meth:`supports`.
        """
        own = cls(layer.config, layer.weight_codes, layer.bias)
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
            layer.kernel_size,
            layer.padding,
            layer.dilation,
        )
        return own

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W'), float32 on a CPU."""
        if self.observing or not runs_here(x):
            return super().forward(x)
        return self._product(x)


class ConvProduct:
    """A convolution of codes by the weights of one layer.

    Args:
        weight (IntegerWeight): (D, C * kh * kw), columns in that order.
        channels (int): C.
        quantizer (StaticQuantizer): Of the input.
        kernel, padding, dilation (tuple[int, int]): Of the convolution.
    """

    def __init__(
        self,
        weight: IntegerWeight,
        channels: int,
        quantizer: Any,
        kernel: Any,
        padding: Any,
        dilation: Any,
    ) -> None:
        self.weight = weight
        self.geometry = kernel, padding, dilation
        self.base_scale = quantizer.scale
        self.codes = ChannelCodes.of(
            quantizer.scale,
            quantizer.zero_point,
            torch.ones_like(quantizer.scale),
            max_code(quantizer.bits),
        )
        self.library = library()
        if self.library is None:
            return
        taps = weight.codes.view(len(weight.scale), channels, -1)
        rows = F.pad(taps.transpose(1, 2), (0, -channels % 4)).flatten(1)
        size = int(self.library.handle.igq_conv_panel(self.library.level))
        self.struct = weight.struct(
            panels(rows, size), self.base_scale, channels
        )

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W')."""
        x = x.contiguous()
        images, _, height, width = x.shape
        kernel, padding, dilation = self.geometry
        out_height, out_width = (
            side + 2 * p - d * (k - 1)
            for side, p, d, k in zip(
                (height, width), padding, dilation, kernel, strict=True
            )
        )
        outputs = len(self.weight.scale)
        out = x.new_empty(images, outputs, out_height, out_width)
        if out.numel() == 0:
            return out
        if self.library is None:
            return self._in_torch(x, out)
        shape = ConvStruct(
            images,
            height,
            width,
            out_height,
            out_width,
            *kernel,
            *padding,
            *dilation,
        )
        self.library.call(
            'conv',
            x,
            shape,
            self.codes.struct(),
            self.struct,
            out,
            torch.get_num_threads(),
        )
        return out

    def _in_torch(self, x: Tensor, out: Tensor) -> Tensor:
        kernel, padding, dilation = self.geometry
        codes = self.codes.codes(x)
        sides = (padding[1], padding[1], padding[0], padding[0])
        codes = F.pad(codes, sides, value=-float(self.codes.low))
        length = self.weight.codes.shape[1]
        how = ChannelCodes(
            self.codes.scale.expand(length),
            self.codes.low.expand(length),
            self.codes.high.expand(length),
            self.codes.multiple.expand(length),
        )
        for image, target in zip(codes, out, strict=True):
            rows = F.unfold(image[None], kernel, dilation)[0].T
            product = exact_product(rows, how, self.weight, self.base_scale)
            target.copy_(product.T.reshape(target.shape))
        return out


def _weight(layer: QuantConv2d) -> IntegerWeight:
    return IntegerWeight.from_layer(
        layer.weight_codes.flatten(1),
        layer.weight_scale,
        layer.weight_zero_point,
        layer.bias,
        layer.config.w_bits,
    )
