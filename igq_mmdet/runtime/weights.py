"""Weights and channels in the form the integer kernels take."""

from dataclasses import dataclass, field, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels.library import CodesStruct, WeightsStruct, address

PANEL = 32  # outputs of a tile, PANEL of csrc/linear.h


def panels(codes: Tensor, size: int) -> Tensor:
    """Lays rows out as a kernel reads them.

    Args:
        codes (Tensor): int8, (D, K).
        size (int): Rows of a panel.

    Returns:
        Tensor: int8, (panels, K / 4, size, 4), zeros where K or D end.
    """
    rows, width = codes.shape
    padded = F.pad(codes, (0, -width % 4, 0, -rows % size))
    blocks = padded.view(-1, size, padded.shape[1] // 4, 4)
    return blocks.transpose(1, 2).contiguous()


def channel_panels(codes: Tensor, size: int) -> Tensor:
    """Lays channels out so that a kernel can read them in any order.

    Args:
        codes (Tensor): int8, (D, K).
        size (int): Rows of a panel.

    Returns:
        Tensor: int8, (panels, K + 1, size), the last channel zeros.
    """
    padded = F.pad(codes, (0, 1, 0, -len(codes) % size))
    return padded.view(-1, size, padded.shape[1]).transpose(1, 2).contiguous()


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
    _kept: list[Tensor] = field(default_factory=list, repr=False)

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
            self, codes=codes.to(torch.int8), zero=self.zero - shift, _kept=[]
        )

    def struct(
        self,
        laid_out: Tensor,
        base_scale: float | Tensor,
        inputs: int,
        largest: int = 255,
    ) -> WeightsStruct:
        """The C struct; its tensors live as long as this object.

        Args:
            laid_out (Tensor): Codes in panels.
            base_scale (float | Tensor): s_0 of the input.
            inputs (int): K of one tap.
            largest (int): The largest byte they are multiplied with.
                Defaults to 255.
        """
        # whether two products can exceed 16 bits
        reach = int(self.codes.to(torch.int16).abs().max())
        pad = (0, -len(self.scale) % PANEL)
        zero = F.pad(self.zero, pad)
        low_half = (zero % 2**32 + 2**31) % 2**32 - 2**31  # modulo 2^32
        self._kept = [
            laid_out,
            low_half.to(torch.int32),
            F.pad(self.scale * base_scale, pad).contiguous(),
            F.pad(self.bias, pad).contiguous(),
        ]
        return WeightsStruct(
            address(laid_out, torch.int8),
            address(self._kept[1], torch.int32),
            address(self._kept[2]),
            address(self._kept[3]),
            inputs,
            len(self.scale),
            int(2 * reach * largest >= 2**15),
        )


@dataclass(frozen=True)
class ChannelCodes:
    """How each channel of one instance becomes unsigned bytes.

    ``(clamp(round(x / scale), low, high) - low) * multiple``

    Args:
        scale (Tensor): ``m * s_0``, float32, (K,).
        low (Tensor): ``-z``, float32, (K,).
        high (Tensor): ``2^b - 1 - z``, float32, (K,).
        multiple (Tensor): m, float32 with integers, (K,).
    """

    scale: Tensor
    low: Tensor
    high: Tensor
    multiple: Tensor

    @classmethod
    def of(
        cls,
        scale: Tensor,
        zero_point: Tensor,
        top: int,
        multiple: Tensor | None = None,
    ) -> 'ChannelCodes':
        """From the parameters of a quantizer, (K,) each."""
        if multiple is None:
            multiple = torch.ones_like(scale)
        return cls(
            scale.contiguous(),
            (-zero_point).contiguous(),
            (top - zero_point).contiguous(),
            multiple.contiguous(),
        )

    def of_channels(self, index: Tensor) -> 'ChannelCodes':
        """Those of some of the channels."""
        return ChannelCodes(
            self.scale[index],
            self.low[index],
            self.high[index],
            self.multiple[index],
        )

    def offset(self) -> Tensor:
        """``-m z``, what a code of x = 0 is away from 0; int64, (K,)."""
        return (self.low.double() * self.multiple.double()).to(torch.int64)

    def struct(self) -> CodesStruct:
        """The C struct; valid while this object lives."""
        parts = (self.scale, self.low, self.high, self.multiple)
        return CodesStruct(*map(address, parts))

    def codes(self, x: Tensor) -> Tensor:
        """The bytes of (N, K) values, as float32."""
        rounded = torch.div(x, self.scale).round_()
        rounded = torch.minimum(torch.maximum(rounded, self.low), self.high)
        return rounded.sub_(self.low).mul_(self.multiple)
