"""Which quantizer a method puts where: the one table of methods."""

from collections.abc import Callable
from dataclasses import dataclass

from .base import ActivationQuantizer
from .channel_group import ChannelBoundQuantizer, ChannelGroupQuantizer
from .integral_group import IntegralGroupQuantizer
from .row_group import RowBoundQuantizer, RowGroupQuantizer
from .static import StaticQuantizer

Factory = Callable[[int, int, bool], ActivationQuantizer]


def _static(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    return StaticQuantizer(bits, strict)


def _static_rows(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    return StaticQuantizer(bits, strict, nonnegative=True)


def _channels(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    if groups == 1:  # nothing to choose: the layer-wise quantizer
        return _static(bits, groups, strict)
    return ChannelGroupQuantizer(bits, groups, strict)


def _integral(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    if groups == 1:
        return _static(bits, groups, strict)
    return IntegralGroupQuantizer(bits, groups, strict)


def _rows(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    if groups == 1:
        return _static_rows(bits, groups, strict)
    return RowGroupQuantizer(bits, groups, strict)


def _channel_bound(
    bits: int, groups: int, strict: bool
) -> ActivationQuantizer:
    return ChannelBoundQuantizer(bits, strict)


def _row_bound(bits: int, groups: int, strict: bool) -> ActivationQuantizer:
    return RowBoundQuantizer(bits, strict)


@dataclass(frozen=True)
class Method:
    """One row of the table.

    Args:
        inputs (Callable): Makes the quantizer of the input of a fully
            connected layer from bits, groups and ``strict_zero_point``.
        rows (Callable): Likewise the quantizer of softmax rows.
        grouped (bool): Whether the number of groups means anything; cost
            and names leave it out otherwise.
    """

    inputs: Factory
    rows: Factory
    grouped: bool = False


METHODS: dict[str, Method] = {
    'igq': Method(_channels, _rows, grouped=True),
    # a row lies in one group, so that any scale leaves the product with V
    # integer: rows need no common step
    'igq_integral': Method(_integral, _rows, grouped=True),
    'layerwise': Method(_static, _static_rows),
    'upper_bound': Method(_channel_bound, _row_bound),
}


def input_quantizer(
    method: str, bits: int, groups: int, strict: bool
) -> ActivationQuantizer:
    """The quantizer of a fully connected layer's input."""
    return METHODS[method].inputs(bits, groups, strict)


def softmax_quantizer(
    method: str, bits: int, groups: int, strict: bool
) -> ActivationQuantizer:
    """The quantizer of a softmax output."""
    return METHODS[method].rows(bits, groups, strict)
