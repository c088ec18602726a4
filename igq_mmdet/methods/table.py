"""Which quantizer a method puts where: the one table of methods."""

from collections.abc import Callable
from dataclasses import dataclass

from ..quantizers.base import ActivationQuantizer
from ..quantizers.channel_group import (
    ChannelBoundQuantizer,
    ChannelGroupQuantizer,
)
from ..quantizers.fixed_group import FixedGroupQuantizer
from ..quantizers.folded import FoldedQuantizer
from ..quantizers.integral_group import IntegralGroupQuantizer
from ..quantizers.log_sqrt2 import LogSqrt2Quantizer
from ..quantizers.row_group import RowBoundQuantizer, RowGroupQuantizer
from ..quantizers.static import StaticQuantizer

InputFactory = Callable[[int, int, bool, int], ActivationQuantizer]
RowFactory = Callable[[int, int, bool], ActivationQuantizer]


def _static(
    bits: int, groups: int, strict: bool, channels: int
) -> ActivationQuantizer:
    return StaticQuantizer(bits, strict)


def _static_rows(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    return StaticQuantizer(bits, strict, nonnegative=True)


def _channels(
    bits: int, groups: int, strict: bool, channels: int
) -> ActivationQuantizer:
    if groups == 1:  # nothing to choose: the layer-wise quantizer
        return _static(bits, groups, strict, channels)
    return ChannelGroupQuantizer(bits, groups, strict)


def _integral(
    bits: int, groups: int, strict: bool, channels: int
) -> ActivationQuantizer:
    if groups == 1:
        return _static(bits, groups, strict, channels)
    return IntegralGroupQuantizer(bits, groups, strict)


def _consecutive(
    bits: int, groups: int, strict: bool, channels: int
) -> ActivationQuantizer:
    if groups == 1:
        return _static(bits, groups, strict, channels)
    return FixedGroupQuantizer(bits, groups, channels, False, strict)


def _sorted(
    bits: int, groups: int, strict: bool, channels: int
) -> ActivationQuantizer:
    if groups == 1:
        return _static(bits, groups, strict, channels)
    return FixedGroupQuantizer(bits, groups, channels, True, strict)


def _folded(
    bits: int, groups: int, strict: bool, channels: int
) -> ActivationQuantizer:
    return FoldedQuantizer(bits, channels, strict)


def _rows(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    if groups == 1:
        return _static_rows(bits, groups, strict)
    return RowGroupQuantizer(bits, groups, strict)


def _log_rows(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    return LogSqrt2Quantizer(bits)


def _channel_bound(
    bits: int, groups: int, strict: bool, channels: int
) -> ActivationQuantizer:
    return ChannelBoundQuantizer(bits, strict)


def _row_bound(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    return RowBoundQuantizer(bits, strict)


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Args:
        inputs (Callable): Makes the quantizer of the input of a fully
            connected layer from bits, groups, ``strict_zero_point`` and
            the number of channels.
        rows (Callable): Likewise the quantizer of softmax rows, without
            the last.
        grouped (bool): Whether the number of groups means anything; cost
            and names leave it out otherwise.
        fixed (bool): Groups are those of calibration; no instance chooses,
            and softmax rows, which are others in every image, are
            layer-wise.
        folds (bool): Scales go into the LayerNorm before the layer; a layer
            without one is layer-wise.
    """

    inputs: InputFactory
    rows: RowFactory
    grouped: bool = False
    fixed: bool = False
    folds: bool = False


METHODS: dict[str, Method] = {
    'igq': Method(_channels, _rows, grouped=True),
    # a row lies in one group, so that any scale leaves the product with V
    # integer: rows need no common step
    'igq_integral': Method(_integral, _rows, grouped=True),
    'layerwise': Method(_static, _static_rows),
    'consecutive': Method(
        _consecutive, _static_rows, grouped=True, fixed=True
    ),
    'sorted': Method(_sorted, _static_rows, grouped=True, fixed=True),
    'repq': Method(_folded, _log_rows, folds=True),
    'upper_bound': Method(_channel_bound, _row_bound),
}


def input_quantizer(
    method: str, bits: int, groups: int, strict: bool, channels: int
) -> ActivationQuantizer:
    """The quantizer of a fully connected layer's input."""
    return METHODS[method].inputs(bits, groups, strict, channels)


def softmax_quantizer(
    method: str, bits: int, groups: int, strict: bool
) -> ActivationQuantizer:
    """The quantizer of a softmax output."""
    return METHODS[method].rows(bits, groups, strict)
