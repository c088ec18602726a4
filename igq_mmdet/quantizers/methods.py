"""Which quantizer a method puts where: the one table of methods."""

from collections.abc import Callable

from .base import ActivationQuantizer
from .channel_group import ChannelBoundQuantizer, ChannelGroupQuantizer
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


# method -> (inputs of fully connected layers, softmax rows)
METHODS: dict[str, tuple[Factory, Factory]] = {
    'igq': (_channels, _rows),
    'layerwise': (_static, _static_rows),
    'upper_bound': (_channel_bound, _row_bound),
}


def input_quantizer(
    method: str, bits: int, groups: int, strict: bool
) -> ActivationQuantizer:
    """The quantizer of a fully connected layer's input."""
    return METHODS[method][0](bits, groups, strict)


def softmax_quantizer(
    method: str, bits: int, groups: int, strict: bool
) -> ActivationQuantizer:
    """The quantizer of a softmax output."""
    return METHODS[method][1](bits, groups, strict)
