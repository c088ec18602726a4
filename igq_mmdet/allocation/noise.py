"""Signal to quantization noise of tensors, summed over images."""

import math
from dataclasses import dataclass

from torch import Tensor

from ..quantizers import ActivationQuantizer

CHUNK = 2**20  # values widened at a time


@dataclass
class Noise:
    """Powers, summed in float64.

    Args:
        signal (float): Sum of squares of the values.
        noise (float): Sum of squares of what quantization changed.
    """

    signal: float = 0.0
    noise: float = 0.0

    def add(self, values: Tensor, quantized: Tensor) -> None:
        """Takes in values and what quantization made of them.

        Args:
            values (Tensor): Any shape.
            quantized (Tensor): Same shape.
        """
        for some, theirs in zip(
            values.detach().flatten().split(CHUNK),
            quantized.detach().flatten().split(CHUNK),
            strict=True,
        ):
            wide = some.double()
            self.signal += float(wide.square().sum())
            self.noise += float((wide - theirs.double()).square().sum())

    @property
    def decibels(self) -> float | None:
        """``10 log10(signal / noise)``; None where one of them is 0."""
        if self.signal == 0 or self.noise == 0:
            return None
        return 10 * math.log10(self.signal / self.noise)


class NoiseObserver:
    """Lets values through in float and quantizes a copy on the side.

    Args:
        quantizer (ActivationQuantizer): Calibrated.
        noise (Noise): What to add to.
    """

    def __init__(self, quantizer: ActivationQuantizer, noise: Noise) -> None:
        self.quantizer = quantizer
        self.noise = noise

    def update(self, x: Tensor) -> None:
        """Takes in the values of one instance."""
        if x.numel():
            self.noise.add(x, self.quantizer.quantize(x, x, None))
