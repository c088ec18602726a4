"""The product of a convolution of codes."""

from dataclasses import astuple, dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels.library import ConvStruct, library
from ..kernels.memory import empty
from ..methods import StaticQuantizer
from ..quantizers import max_code
from .product import exact_product
from .weights import ChannelCodes, IntegerWeight, panels

Pair = tuple[int, ...]


@dataclass(frozen=True)
class Geometry:
    """Which values a convolution multiplies, (vertical, horizontal) each.

    Args:
        kernel (Pair): Taps. Defaults to (1, 1).
        stride (Pair): Between outputs. Defaults to (1, 1).
        padding (Pair): Zeros on either side. Defaults to (0, 0).
        dilation (Pair): Between taps. Defaults to (1, 1).
    """

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    padding: Pair = (0, 0)
    dilation: Pair = (1, 1)

    def out_size(self, *size: int) -> Pair:
        """Height and width of the output, from those of the input."""
        return tuple(
            (side + 2 * p - d * (k - 1) - 1) // s + 1
            for side, k, s, p, d in zip(size, *astuple(self), strict=True)
        )


class ConvProduct:
    """A convolution of codes by the weights of one layer.

    Args:
        weight (IntegerWeight): (D, C * kh * kw), columns in that order.
        channels (int): C.
        quantizer (StaticQuantizer): Of the input.
        geometry (Geometry): Of the convolution.
    """

    def __init__(
        self,
        weight: IntegerWeight,
        channels: int,
        quantizer: StaticQuantizer,
        geometry: Geometry,
    ) -> None:
        self.weight = weight
        self.geometry = geometry
        self.base_scale = quantizer.scale
        self.codes = ChannelCodes.of(
            quantizer.scale,
            quantizer.zero_point,
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

    @torch.compiler.disable
    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W')."""
        x = x.contiguous()
        images, _, height, width = x.shape
        out_height, out_width = self.geometry.out_size(height, width)
        outputs = len(self.weight.scale)
        out = empty(x, images, outputs, out_height, out_width)
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
            *self.geometry.kernel,
            *self.geometry.stride,
            *self.geometry.padding,
            *self.geometry.dilation,
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
        kernel, stride, padding, dilation = astuple(self.geometry)
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
            rows = F.unfold(image[None], kernel, dilation, 0, stride)[0].T
            product = exact_product(rows, how, self.weight, self.base_scale)
            target.copy_(product.T.reshape(target.shape))
        return out
