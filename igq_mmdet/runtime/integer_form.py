"""What the integer forms of layers with a weight share."""

from typing import Any

import torch
from torch import Tensor

from ..kernels import runs_here
from ..kernels.guard import single_on_cpu
from ..modules.base import take_over
from ..modules.layers.static_input import StaticInputModule
from ..modules.weight_module import QuantWeightModule
from .product import fits_int32
from .weights import IntegerWeight


class IntegerForm(QuantWeightModule):
    """Computes on codes what a frozen layer simulates.

    Attributes:
        product: What multiplies.
    """

    product: Any

    @classmethod
    def refuses(cls, layer: Any) -> str | None:
        """What this form cannot do that a layer needs, or None."""
        raise NotImplementedError

    @classmethod
    def supports(cls, layer: Any) -> str | None:
        """Why a layer cannot run on integers, or None if it can.

        Args:
            layer (QuantWeightModule): Calibrated and frozen.
        """
        reason = cls.refuses(layer)
        if reason is not None:
            return reason
        if not runs_here(layer.weight_scale, layer.input_quantizer.scale):
            return 'it is not in float32 on a CPU'
        if not fits_int32(cls.integer_weight(layer), layer.input_quantizer):
            return 'its sums could exceed 32 bits'
        return None

    @classmethod
    def integer_weight(cls, layer: Any) -> IntegerWeight:
        """The weight as it is multiplied, (D, K)."""
        return IntegerWeight.from_layer(
            layer.weight_codes.flatten(1),
            layer.weight_scale,
            layer.weight_zero_point,
            layer.bias,
            layer.config.w_bits,
        )

    @classmethod
    def from_quantized(cls, layer: Any) -> Any:
        """Takes over a frozen layer.

        Args:
            layer (QuantWeightModule): One that :meth:`supports`.
        """
        own = cls(layer.config, layer.weight_codes, layer.bias)
        own.adopt_codes(
            layer.weight_codes, layer.weight_scale, layer.weight_zero_point
        )
        shape = layer.SHAPE if isinstance(layer, StaticInputModule) else ()
        take_over(own, layer, *shape, 'input_quantizer', 'workload')
        own.prepare(cls.integer_weight(layer))
        return own

    def takes(self, x: Tensor, channel_axis: int, channels: int) -> bool:
        """Whether an input is multiplied on codes, not simulated.

        Args:
            x (Tensor): The input.
            channel_axis (int): Where it has its channels.
            channels (int): How many the layer takes.
        """
        return (
            not self.observing
            and not torch.onnx.is_in_onnx_export()
            and x.dim() > abs(channel_axis)
            and x.shape[channel_axis] == channels
            and single_on_cpu(x, self.input_quantizer.scale)
        )

    def prepare(self, weight: IntegerWeight) -> None:
        """Makes ``product``, for the kernels of this machine."""
        raise NotImplementedError
