"""One quantizer for a whole tensor, bounds fixed at calibration."""

import torch
from torch import Tensor

from .base import ActivationQuantizer
from .uniform import fake_quantize


class StaticQuantizer(ActivationQuantizer):
    """Per-tensor quantizer (method, section 1, static activations).

    Args:
        bits (int): Width of a code in bits.
        strict_zero_point (bool): See :class:`ActivationQuantizer`.
        nonnegative (bool): Fix the lower bound at 0, for softmax outputs.
            Defaults to False.
    """

    observes = 'histogram'

    def __init__(
        self,
        bits: int,
        strict_zero_point: bool = False,
        nonnegative: bool = False,
    ) -> None:
        super().__init__(bits, 1, strict_zero_point)
        self.nonnegative = nonnegative

    @property
    def grid_step(self) -> Tensor | None:
        return self.scale

    def grid(self, counted: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.scale, self.zero_point, torch.ones_like(self.scale)

    def integers(self, x: Tensor, out: Tensor | None = None) -> Tensor:
        """A tensor as ``q - z``.

        Args:
            x (Tensor): Any shape.
            out (Tensor, optional): Where to write; contiguous, may be
                ``x``. Defaults to a new tensor.
        """
        x = x.contiguous()
        if out is None:
            out = torch.empty_like(x)
        if x.numel():
            rows = x.view(-1, x.shape[-1])
            scale, zero_point, multiple = self.grid(rows)
            fake_quantize(
                rows,
                scale,
                zero_point,
                self.bits,
                out.view(rows.shape),
                multiple,
            )
        return out

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        if out is not None:
            out = out.view(rows.shape)
        return fake_quantize(
            rows, self.scale, self.zero_point, self.bits, out
        ).view(x.shape)
