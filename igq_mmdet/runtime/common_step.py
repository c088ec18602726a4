"""A layer whose channels share one step: one integer product."""

import torch
from torch import Tensor

from ..kernels.library import Library
from ..quantizers import ActivationQuantizer, max_code
from .product import exact_product
from .weights import PANEL, ChannelCodes, IntegerWeight, panels


class CommonStepProduct:
    """The product of one layer (method, section 6, ``igq_integral``).

    Args:
        weight (IntegerWeight): (D, K).
        quantizer (ActivationQuantizer): Of the input.
        kernels (Library, optional): What to multiply with.
    """

    def __init__(
        self,
        weight: IntegerWeight,
        quantizer: ActivationQuantizer,
        kernels: Library | None,
    ) -> None:
        self.weight = weight
        self.quantizer = quantizer
        self.kernels = kernels
        self.base_scale = quantizer.grid_step
        if kernels is not None:
            inputs = weight.codes.shape[1]
            self.struct = weight.struct(
                panels(weight.codes, PANEL), self.base_scale, inputs
            )

    def channel_codes(self, counted: Tensor) -> ChannelCodes:
        """How the channels of one image are quantized.

        Args:
            counted (Tensor): The tokens statistics are taken from, (N, K).
        """
        scale, zero_point, multiple = (
            part.expand(counted.shape[1:])
            for part in self.quantizer.grid(counted)
        )
        top = max_code(self.quantizer.bits)
        return ChannelCodes.of(scale, zero_point, top, multiple)

    @torch.compiler.disable
    def __call__(self, values: Tensor, counted: Tensor, out: Tensor) -> None:
        """Computes one image.

        Args:
            values (Tensor): Its tokens, float32, contiguous, (N, K).
            counted (Tensor): Those statistics are taken from, (M, K).
            out (Tensor): Where to write, (N, D).
        """
        how = self.channel_codes(counted)
        if self.kernels is None:
            codes = how.codes(values)
            out.copy_(exact_product(codes, how, self.weight, self.base_scale))
            return
        self.kernels.call(
            'linear',
            values,
            len(values),
            how.struct(),
            self.struct,
            out,
            torch.get_num_threads(),
        )
