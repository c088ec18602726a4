"""``layerwise``: one quantizer for a whole tensor (method, section 1)."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from ..fitting.percentile import fit_static
from ..observers import Histogram
from ..quantizers import ActivationQuantizer, FitSettings, fake_quantize
from .base import METHODS, Method


class StaticQuantizer(ActivationQuantizer):
    """Per-tensor quantizer, bounds fixed at calibration.

    Args:
        bits (int): Width of a code in bits.
        strict_zero_point (bool): See :class:`ActivationQuantizer`.
        nonnegative (bool): Fix the lower bound at 0, for softmax outputs.
            Defaults to False.
    """

    observes: ClassVar[Any] = Histogram
    form = 'common_step'
    batched = True

    def __init__(
        self,
        bits: int,
        strict_zero_point: bool = False,
        nonnegative: bool = False,
    ) -> None:
        super().__init__(bits, 1, strict_zero_point)
        self.nonnegative = nonnegative

    def fit(
        self, observer: Histogram, settings: FitSettings
    ) -> tuple[Tensor, ...]:
        """The percentile with the least squared error."""
        return fit_static(
            *observer.values(),
            self.bits,
            settings.static_percentiles,
            self.nonnegative,
            self.strict_zero_point,
        )

    @property
    def grid_step(self) -> Tensor:
        return self.scale

    def grid(self, counted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.scale, self.zero_point, torch.ones_like(self.scale)

    def row_steps(self) -> tuple[Tensor, Tensor]:
        return self.scale[:0], self.scale

    def integers(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """A tensor as ``q - z``.

        Args:
            x (Tensor): Any shape.
            out (Tensor, optional): Where to write; contiguous, may be
                ``x``. Defaults to a new tensor.

        Returns:
            Tensor: Same shape; callers go on with it, whatever ``out`` is.
        """
        x = x.contiguous()
        if out is None:
            out = torch.empty_like(x)
        if not x.numel():
            return out
        rows = x.view(-1, x.shape[-1])
        scale, zero_point, multiple = self.grid(rows)
        return fake_quantize(
            rows, scale, zero_point, self.bits, out.view(rows.shape), multiple
        ).view(x.shape)

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        if out is not None:
            out = out.view(rows.shape)
        return fake_quantize(
            rows, self.scale, self.zero_point, self.bits, out
        ).view(x.shape)


@METHODS.register_module('layerwise')
class Layerwise(Method):
    """One scale and zero point a layer, as in plain static quantization."""

    def inputs(
        self, bits: int, groups: int, strict: bool, channels: int
    ) -> StaticQuantizer:
        return StaticQuantizer(bits, strict)

    def rows(self, bits: int, groups: int, strict: bool) -> StaticQuantizer:
        return StaticQuantizer(bits, strict, nonnegative=True)
