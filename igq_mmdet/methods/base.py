"""What a method is, and the registry of methods."""

from typing import Any, ClassVar

from torch import Tensor, nn

from ..open_registry import OpenRegistry
from ..quantizers import ActivationQuantizer


class Method:
    """Which quantizers activations get; derived classes are whole methods.

    A method defines ``inputs`` or ``rows`` or both; what it leaves out is
    layer-wise. Q, K, V and inputs of convolutions are layer-wise in every
    method.

    Attributes:
        grouped (bool): Whether the number of groups means anything: names,
            cost and allocation leave it out otherwise. With one group a
            grouped method is layer-wise.
        folds (bool): Whether scales go into the LayerNorm before a layer,
            see :meth:`fold`; a layer without one is layer-wise.
        fits_ranges (bool): Whether ``ranges='fitted'`` changes anything:
            names leave it out otherwise.
        runnable (bool): Whether it could run outside a simulation; what
            could not is never called the best of a comparison.
        inputs (Callable): The quantizer of the input of a fully connected
            layer, ``(bits, groups, strict_zero_point, channels)`` to an
            :class:`ActivationQuantizer`.
        rows (Callable): The quantizer of softmax rows, ``(bits, groups,
            strict_zero_point)`` likewise.
    """

    grouped: ClassVar[bool] = False
    folds: ClassVar[bool] = False
    fits_ranges: ClassVar[bool] = False
    runnable: ClassVar[bool] = True
    inputs: Any = None
    rows: Any = None

    def input_operations(
        self, tokens: float, inputs: int, outputs: int, groups: int
    ) -> float:
        """Float operations of a fully connected layer beside its MACs.

        Args:
            tokens (float): N.
            inputs (int): C.
            outputs (int): D.
            groups (int): Number of groups.
        """
        return 0.0

    def row_operations(
        self, rows: float, elements: float, groups: int
    ) -> float:
        """Float operations of quantizing softmax rows, beside the MACs.

        Args:
            rows (float): Softmax rows.
            elements (float): Rows times their length.
            groups (int): Number of groups.
        """
        return 0.0

    def fold(
        self, norm: nn.LayerNorm, layer: Any, lower: Tensor, upper: Tensor
    ) -> None:
        """Moves scales into a LayerNorm, if the method ``folds``.

        Called instead of the quantizer's ``set_bounds``.

        Args:
            norm (nn.LayerNorm): Its output is read by ``layer`` only.
            layer (nn.Module): With ``weight`` (D, C) and ``bias`` (D,) in
                float, and ``input_quantizer``.
            lower (Tensor): Lower bounds that the quantizer fitted.
            upper (Tensor): Upper bounds likewise.
        """
        raise NotImplementedError


METHODS: OpenRegistry[Method] = OpenRegistry('method', Method)


def input_quantizer(
    method: str,
    bits: int,
    groups: int,
    strict: bool,
    channels: int,
    ranges: str = 'mean',
) -> ActivationQuantizer:
    """The quantizer of a fully connected layer's input.

    Args:
        method (str): A key of ``METHODS``.
        bits (int): Width of a code in bits.
        groups (int): Number of groups.
        strict (bool): See ``quantizers.qparams``.
        channels (int): C.
        ranges (str): See ``QuantSpec``. Defaults to ``mean``.
    """
    make = (
        acting_method(method, groups).inputs
        or METHODS.build('layerwise').inputs
    )
    made = make(bits, groups, strict, channels)
    made.ranges = ranges
    return made


def softmax_quantizer(
    method: str, bits: int, groups: int, strict: bool, ranges: str = 'mean'
) -> ActivationQuantizer:
    """The quantizer of softmax rows, arguments as above."""
    make = (
        acting_method(method, groups).rows or METHODS.build('layerwise').rows
    )
    made = make(bits, groups, strict)
    made.ranges = ranges
    return made


def acting_method(method: str, groups: int) -> Method:
    """The method at work where a layer has that many groups.

    Args:
        method (str): A key of ``METHODS``.
        groups (int): Number of groups.
    """
    if METHODS[method].grouped and groups == 1:  # nothing to choose
        return METHODS.build('layerwise')
    return METHODS.build(method)
