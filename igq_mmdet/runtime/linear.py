"""Fully connected layers executed on integer codes (method, section 8)."""

import torch
from torch import Tensor

from ..kernels.library import Library, library, runs_here
from ..modules.instances import current_instances
from ..modules.linear import QuantLinear
from ..quantizers import (
    IntegralGroupQuantizer,
    StaticQuantizer,
    assign_channels,
    max_code,
)
from ..quantizers.uniform import column_bounds
from .product import exact_product, fits_int32
from .weights import PANEL, ChannelCodes, IntegerWeight, panels


class IntegerLinear(QuantLinear):
    """Computes what a frozen ``QuantLinear`` simulates.

    Equal codes; outputs differ by float summation order only, which the
    simulation has and this has not.
    """

    @classmethod
    def supports(cls, layer: QuantLinear) -> str | None:
        """Why a layer cannot run on integers, or None if it can.

        Args:
            layer (QuantLinear): Calibrated and frozen.
        """
        quantizer = layer.input_quantizer
        if type(quantizer) not in (IntegralGroupQuantizer, StaticQuantizer):
            return 'its groups have no common step'
        if not fits_int32(_weight(layer), quantizer):
            return 'its sums could exceed 32 bits'
        return None

    @classmethod
    def from_quantized(cls, layer: QuantLinear) -> 'IntegerLinear':
        """Takes over a frozen layer.

        Args:
            layer (QuantLinear): One that :meth:`supports`.
        """
        own = cls(layer.config, layer.weight_codes, layer.bias)
        own.adopt_codes(
            layer.weight_codes, layer.weight_scale, layer.weight_zero_point
        )
        own.input_quantizer = layer.input_quantizer
        own.workload = layer.workload
        own.prepare()
        return own

    def prepare(self) -> None:
        """Lays the weights out for the kernels of this machine."""
        self._integer = _weight(self)
        quantizer = self.input_quantizer
        base = quantizer.scale
        if isinstance(quantizer, IntegralGroupQuantizer):
            base = quantizer.base_scale
        self._base_scale = base
        self._library = library()
        if self._library is not None:
            self._struct = self._integer.struct(
                panels(self._integer.codes, PANEL), base, self.in_features
            )

    def forward(self, x: Tensor) -> Tensor:
        """(R, ..., C) to (R, ..., D), float32 on a CPU."""
        if self.observing or not runs_here(x):
            return super().forward(x)
        layout = current_instances()
        layers_first = layout.layers_first and x.dim() == 4
        if layers_first:
            x = x.transpose(0, 1)
        x = x.contiguous()
        out = x.new_empty(*x.shape[:-1], self.out_features)
        for (values, counted), (target, _) in zip(
            layout.split(x), layout.split(out), strict=True
        ):
            if len(values):
                self._one_image(values, counted, target)
        return out.transpose(0, 1) if layers_first else out

    def channel_codes(self, counted: Tensor) -> ChannelCodes:
        """How the channels of one image are quantized.

        Args:
            counted (Tensor): The tokens statistics are taken from, (N, C).
        """
        quantizer = self.input_quantizer
        top = max_code(quantizer.bits)
        if not isinstance(quantizer, IntegralGroupQuantizer):
            width = (self.in_features,)
            scale = quantizer.scale.expand(width)
            return ChannelCodes.of(
                scale,
                quantizer.zero_point.expand(width),
                torch.ones_like(scale),
                top,
            )
        lower, upper = fast_column_bounds(counted, self._library)
        groups = assign_channels(
            lower, upper, quantizer.lower, quantizer.upper
        )
        return ChannelCodes.of(
            quantizer.scale[groups],
            quantizer.zero_point[groups],
            quantizer.multiple[groups],
            top,
        )

    def _one_image(self, values: Tensor, counted: Tensor, out: Tensor) -> None:
        codes = self.channel_codes(counted if counted.numel() else values)
        if self._library is None:
            bytes_ = codes.codes(values)
            out.copy_(
                exact_product(bytes_, codes, self._integer, self._base_scale)
            )
            return
        self._library.call(
            'linear',
            values,
            values.shape[0],
            codes.struct(),
            self._struct,
            out,
            torch.get_num_threads(),
        )


def _weight(layer: QuantLinear) -> IntegerWeight:
    return IntegerWeight.from_layer(
        layer.weight_codes,
        layer.weight_scale,
        layer.weight_zero_point,
        layer.bias,
        layer.config.w_bits,
    )


def fast_column_bounds(
    x: Tensor, kernels: Library | None
) -> tuple[Tensor, Tensor]:
    """Minimum and maximum of each column, in one pass where compiled.

    Args:
        x (Tensor): float32, (N, C), N at least 1.
        kernels (Library, optional): What to take it with.

    Returns:
        tuple[Tensor, Tensor]: (C,) each.
    """
    if kernels is None:
        return column_bounds(x)
    x = x.contiguous()
    lower, upper = x.new_empty(2, x.shape[1])
    kernels.call(
        'column_bounds', x, *x.shape, lower, upper, torch.get_num_threads()
    )
    return lower, upper
