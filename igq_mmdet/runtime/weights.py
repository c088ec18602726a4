"""Weights in the form the integer operators take."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..kernels.weights import WeightOperands, padded


@dataclass
class IntegerWeight:
    """One layer's weight codes, moved into the range of int8.

    Args:
        codes (Tensor): ``w - 2^(b-1)``, int8, (D, K).
        zero (Tensor): ``z_w - 2^(b-1)``, int64, (D,).
        scale (Tensor): s_w, float32, (D,).
        bias (Tensor): float32, (D,).
        bits (int): b, width of a code.
    """

    codes: Tensor
    zero: Tensor
    scale: Tensor
    bias: Tensor
    bits: int

    @classmethod
    def from_layer(
        cls,
        codes: Tensor,
        scale: Tensor,
        zero_point: Tensor,
        bias: Tensor | None,
        bits: int,
    ) -> 'IntegerWeight':
        """From what a frozen layer holds.

        Args:
            codes (Tensor): uint8, (D, K).
            scale (Tensor): (D, 1).
            zero_point (Tensor): (D, 1).
            bias (Tensor, optional): (D,).
            bits (int): Width of a code.
        """
        shift = 2 ** (bits - 1)
        outputs = codes.shape[0]
        if bias is None:
            bias = scale.new_zeros(outputs)
        return cls(
            (codes.to(torch.int16) - shift).to(torch.int8),
            zero_point.view(-1).to(torch.int64) - shift,
            scale.view(-1).float(),
            bias.detach().float(),
            bits,
        )

    def largest_sum(self) -> int:
        """The largest ``sum_c |w - z_w|`` of an output."""
        distance = self.codes.to(torch.int64) - self.zero[:, None]
        return int(distance.abs().sum(1).max()) if len(distance) else 0

    def centred(self) -> 'IntegerWeight':
        """The same weight, its codes moved so that z_w is 0 if int8 can."""
        room = 128 - 2 ** (self.bits - 1)
        shift = self.zero.clamp(-room, room)
        codes = self.codes.to(torch.int16) - shift[:, None]
        return replace(
            self, codes=codes.to(torch.int8), zero=self.zero - shift
        )


class PackedWeight(nn.Module):
    """What an operator takes of a weight; not part of a checkpoint.

    Args:
        weight (IntegerWeight): The layer's weight.
        laid_out (Tensor): Its codes as the kernel reads them.
        base_scale (float | Tensor): s_0 of the input.
        largest (int): The largest byte they are multiplied with. Defaults
            to 255.
    """

    codes: Tensor
    zero: Tensor
    factor: Tensor
    bias: Tensor

    def __init__(
        self,
        weight: IntegerWeight,
        laid_out: Tensor,
        base_scale: float | Tensor,
        largest: int = 255,
    ) -> None:
        super().__init__()
        # whether two products can exceed 16 bits
        reach = int(weight.codes.to(torch.int16).abs().max())
        self.wide = 2 * reach * largest >= 2**15
        self.outputs = len(weight.scale)
        for name, values in (
            ('codes', laid_out),
            ('zero', padded(weight.zero.to(torch.int32))),
            ('factor', padded(weight.scale * base_scale)),
            ('bias', padded(weight.bias)),
        ):
            self.register_buffer(name, values, persistent=False)

    def operands(self) -> WeightOperands:
        """What operators take."""
        return WeightOperands(
            self.codes,
            self.zero,
            self.factor,
            self.bias,
            self.outputs,
            self.wide,
        )
