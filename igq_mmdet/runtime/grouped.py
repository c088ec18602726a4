"""A layer whose groups have steps of their own: a sum a group."""

import torch
from torch import Tensor

from ..kernels.library import Library
from ..quantizers import ActivationQuantizer, max_code
from .product import grouped_product
from .weights import PANEL, ChannelCodes, IntegerWeight, channel_panels


class GroupedProduct:
    """The product of one layer (method, section 2).

    Sums within a group are exact; group by group they are scaled and added
    in float32, as many additions as there are groups.

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
        self.weight = weight.centred()
        self.quantizer = quantizer
        self.kernels = kernels
        if kernels is not None:
            self.struct = self.weight.struct(
                channel_panels(self.weight.codes, PANEL),
                1.0,
                weight.codes.shape[1],
                max_code(quantizer.bits),
            )
            if not self.weight.zero.any():
                self.struct.zero = None

    def channel_codes(self, groups: Tensor) -> ChannelCodes:
        """How channels of these groups are quantized.

        Args:
            groups (Tensor): The group of each channel, (K,).
        """
        quantizer = self.quantizer
        return ChannelCodes.of(
            quantizer.scale[groups],
            quantizer.zero_point[groups],
            max_code(quantizer.bits),
        )

    @torch.compiler.disable
    def __call__(self, values: Tensor, counted: Tensor, out: Tensor) -> None:
        """Computes one image, see :class:`CommonStepProduct`."""
        groups = self.quantizer.assign(counted)
        how = self.channel_codes(groups)
        if self.kernels is None:
            codes = how.codes(values)
            out.copy_(grouped_product(codes, how, groups, self.weight))
            return
        self.kernels.call(
            'grouped',
            values,
            len(values),
            how.struct(),
            groups.to(torch.int32),
            self.quantizer.groups,
            self.struct,
            out,
            torch.get_num_threads(),
        )
