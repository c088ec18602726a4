"""Weights as integer kernels read them, and back."""

import torch
import torch.nn.functional as F
from torch import Tensor

from .call import address
from .structs import WeightsStruct

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


def distances(codes: Tensor, zero: Tensor) -> Tensor:
    """``w - z_w``, float64, (D, K), whose products add up exactly.

    Args:
        codes (Tensor): int8, (D, K).
        zero (Tensor): int32, (D,), modulo 2^32.
    """
    return codes.double() - zero.double()[:, None]


def padded(x: Tensor) -> Tensor:
    """What belongs to outputs, as long as whole panels, (D,) to (D',)."""
    return F.pad(x, (0, -len(x) % PANEL)).contiguous()


def fit_outputs(outputs: int, *tensors: Tensor) -> bool:
    """Whether what belongs to outputs is as :func:`padded` makes it.

    Args:
        outputs (int): D.
        *tensors (Tensor): Contiguous, of the right dtype.
    """
    shape = (outputs + -outputs % PANEL,)
    return all(x.shape == shape and x.is_contiguous() for x in tensors)


def weights_struct(
    laid_out: Tensor,
    zero: Tensor,
    factor: Tensor,
    bias: Tensor,
    inputs: int,
    outputs: int,
    wide: bool,
) -> WeightsStruct:
    """The C struct; the tensors must outlive it.

    Args:
        laid_out (Tensor): Codes in panels.
        zero (Tensor): int32, :func:`padded`.
        factor (Tensor): float32, :func:`padded`.
        bias (Tensor): float32, :func:`padded`.
        inputs (int): K of one tap.
        outputs (int): D.
        wide (bool): Whether two products can exceed 16 bits.
    """
    return WeightsStruct(
        address(laid_out, torch.int8),
        address(zero, torch.int32),
        address(factor),
        address(bias),
        inputs,
        outputs,
        int(wide),
    )
