"""What keeps 32 bits enough for the products of codes."""

from ..quantizers import ActivationQuantizer
from .weights import IntegerWeight


def fits_int32(weight: IntegerWeight, quantizer: ActivationQuantizer) -> bool:
    """Whether ``sum_c m (q - z) (w - z_w)`` stays below 2^31 always.

    Kernels compute modulo 2^32, so only this final sum has to fit.

    Args:
        weight (IntegerWeight): The layer's weight.
        quantizer (ActivationQuantizer): Of its input.
    """
    return quantizer.largest_factor() * weight.largest_sum() < 2**31
