"""Products of codes as ONNX has them: unsigned bytes, sums of 32 bits."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...quantizers import ActivationQuantizer, max_code

UINT8 = torch.onnx.TensorProtoDataType.UINT8
FLOAT = torch.onnx.TensorProtoDataType.FLOAT


class _Matrix(torch.autograd.Function):
    """``MatMulInteger``; what is traced is the product of floats."""

    @staticmethod
    def forward(ctx: Any, codes: Tensor, weight: Tensor) -> Tensor:
        return codes @ weight.to(codes.dtype)

    @staticmethod
    def symbolic(g: Any, codes: Any, weight: Any) -> Any:
        left = g.op('Cast', codes, to_i=UINT8)
        sums = g.op('MatMulInteger', left, weight)
        return g.op('Cast', sums, to_i=FLOAT)


class _Conv(torch.autograd.Function):
    """``ConvInteger`` with a zero point of the input."""

    @staticmethod
    def forward(
        ctx: Any,
        codes: Tensor,
        weight: Tensor,
        zero_point: Tensor,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        groups: int,
    ) -> Tensor:
        return F.conv2d(
            codes - zero_point,
            weight.to(codes.dtype),
            None,
            stride,
            padding,
            dilation,
            groups,
        )

    @staticmethod
    def symbolic(
        g: Any,
        codes: Any,
        weight: Any,
        zero_point: Any,
        stride: list[int],
        padding: list[int],
        dilation: list[int],
        groups: int,
    ) -> Any:
        sums = g.op(
            'ConvInteger',
            g.op('Cast', codes, to_i=UINT8),
            weight,
            g.op('Cast', zero_point, to_i=UINT8),
            strides_i=stride,
            pads_i=padding * 2,
            dilations_i=dilation,
            group_i=groups,
        )
        return g.op('Cast', sums, to_i=FLOAT)


def linear_on_bytes(
    values: Tensor,
    grid: tuple[Tensor, ...],
    quantizer: ActivationQuantizer,
    weight: tuple[Tensor, Tensor],
    scale: Tensor,
    bias: Tensor | None,
) -> Tensor:
    """``(sum_c m (q - z) (w - z_w)) * scale + bias`` by bytes.

    Both operands are unsigned, so that no runtime adds up pairs of products
    in 16 bits; zero points of any size are taken out after.

    Args:
        values (Tensor): Tokens of images, (I, N, K).
        grid (tuple[Tensor, ...]): Step, z and m of their channels,
            (I, 1, K) or (1,).
        quantizer (ActivationQuantizer): Of the input.
        weight (tuple[Tensor, Tensor]): Codes, uint8, (D, K), and their zero
            point, (D, 1).
        scale (Tensor): Of the sums, (D,).
        bias (Tensor, optional): (D,).

    Returns:
        Tensor: (I, N, D).
    """
    step, zero_point, multiple = grid
    top = max_code(quantizer.bits)
    integers = torch.round(values / step)
    bytes_ = torch.clamp(integers + zero_point, 0, top) * multiple
    codes, zero = weight
    columns = codes.T
    sums = _Matrix.apply(bytes_, columns)
    offset = (zero_point * multiple).expand(*values.shape[:1], 1, len(columns))
    sums = sums - offset @ columns.to(values.dtype)
    total = bytes_.sum(-1, keepdim=True) - offset.sum(-1, keepdim=True)
    sums = (sums - total * zero.view(-1)) * scale
    return sums if bias is None else sums + bias


def conv_on_bytes(
    x: Tensor, layer: Any, quantizer: ActivationQuantizer
) -> Tensor | None:
    """The sums of a convolution of codes, or None if bytes cannot hold it.

    Args:
        x (Tensor): (B, C, H, W).
        layer (QuantConv2d): Frozen, with padding by zeros.
        quantizer (StaticQuantizer): Of the input.

    Returns:
        Tensor: ``sum (q - z) (w - z_w)``, (B, D, H', W').
    """
    top = max_code(quantizer.bits)
    zero_point = int(quantizer.zero_point)
    weight = (
        layer.weight_codes.to(torch.int64)
        - (layer.weight_zero_point.to(torch.int64)[..., None, None])
    )
    reach = int(weight.abs().max())
    if (
        isinstance(layer.padding, str)
        or layer.padding_mode != 'zeros'
        or not 0 <= zero_point <= 255
        # pairs of products stay within 16 bits, for runtimes that add them so
        or 2 * top * reach >= 2**15
        or reach > 127
    ):
        return None
    codes = torch.round(x / quantizer.scale) + quantizer.zero_point
    sums: Tensor = _Conv.apply(
        codes.clamp(0, top),
        weight.to(torch.int8).detach(),
        quantizer.zero_point.view(()),
        list(layer.stride),
        list(layer.padding),
        list(layer.dilation),
        layer.groups,
    )
    return sums
