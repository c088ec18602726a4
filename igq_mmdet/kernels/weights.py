"""Weights as integer kernels read them, and back."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .call import address
from .guard import plain
from .structs import WeightsStruct

PANEL = 32  # outputs of a tile, PANEL of csrc/linear.h
# a weight in the schema of an operator, see WeightOperands
WEIGHT = (
    'Tensor codes, Tensor zero, Tensor factor, Tensor bias, int outputs, '
    'bool wide'
)


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


def rows_of(laid_out: Tensor, rows: int, width: int) -> Tensor:
    """The inverse of :func:`panels`.

    Args:
        laid_out (Tensor): int8, (panels, K / 4, size, 4).
        rows (int): D.
        width (int): K.

    Returns:
        Tensor: int8, (D, K).
    """
    blocks = laid_out.transpose(1, 2).flatten(2).flatten(0, 1)
    return blocks[:rows, :width]


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


def channels_of(laid_out: Tensor, rows: int) -> Tensor:
    """The inverse of :func:`channel_panels`, int8, (D, K).

    Args:
        laid_out (Tensor): int8, (panels, K + 1, size).
        rows (int): D.
    """
    return laid_out.transpose(1, 2).flatten(0, 1)[:rows, :-1]


def padded(x: Tensor) -> Tensor:
    """What belongs to outputs, as long as whole panels, (D,) to (D',)."""
    return F.pad(x, (0, -len(x) % PANEL)).contiguous()


class WeightOperands(NamedTuple):
    """What operators take of a weight.

    Args:
        codes (Tensor): int8, laid out as the kernel reads them.
        zero (Tensor): int32, modulo 2^32, :func:`padded`.
        factor (Tensor): Of the sums, float32, :func:`padded`.
        bias (Tensor): float32, :func:`padded`.
        outputs (int): D.
        wide (bool): Whether two products of a byte and a code can exceed 16
            bits.
    """

    codes: Tensor
    zero: Tensor
    factor: Tensor
    bias: Tensor
    outputs: int
    wide: bool

    def fit(self, *panel: int) -> bool:
        """Whether kernels take it.

        Args:
            *panel (int): Shape of the codes of one panel; how many rows are
                in it is the second.
        """
        blocks = -(-self.outputs // panel[1])
        shape = (self.outputs + -self.outputs % PANEL,)
        return (
            self.codes.shape == (blocks, *panel)
            and plain(torch.int8, self.codes)
            and plain(torch.int32, self.zero)
            and plain(torch.float32, self.factor, self.bias)
            and self.zero.shape == self.factor.shape == self.bias.shape
            and self.bias.shape == shape
        )

    def struct(self, inputs: int) -> WeightsStruct:
        """The C struct; the tensors must outlive it.

        Args:
            inputs (int): K of one tap.
        """
        return WeightsStruct(
            address(self.codes, torch.int8),
            address(self.zero, torch.int32),
            address(self.factor),
            address(self.bias),
            inputs,
            self.outputs,
            int(self.wide),
        )

    def distances(self, rows: Tensor) -> Tensor:
        """``w - z_w``, float64, (D, K), whose products add up exactly.

        Args:
            rows (Tensor): Codes, int8, (D, K).
        """
        return rows.double() - self.zero[: self.outputs, None].double()

    def scaled(self, sums: Tensor, after: tuple[int, ...] = ()) -> Tensor:
        """``sums * factor + bias``, float32.

        Args:
            sums (Tensor): (..., D, *after).
            after (tuple[int, ...]): Ones, as many as dimensions follow D.
                Defaults to none.
        """
        factor, bias = (
            part[: self.outputs].view(-1, *after)
            for part in (self.factor, self.bias)
        )
        return sums.float() * factor + bias
