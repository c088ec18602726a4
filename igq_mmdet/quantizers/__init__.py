"""Tensors in, tensors out: knows no module, no image, no file.

Imports: kernels, operators.
"""

from .base import ActivationQuantizer, FitSettings
from .packing import pack, packed_size, unpack
from .softmax import has_row_steps, softmax_codes
from .uniform import (
    column_bounds,
    fake_quantize,
    max_code,
    qparams,
    quantize,
)
from .weight import dequantize_weight, quantize_weight

__all__ = [
    'ActivationQuantizer',
    'FitSettings',
    'column_bounds',
    'dequantize_weight',
    'fake_quantize',
    'has_row_steps',
    'max_code',
    'pack',
    'packed_size',
    'qparams',
    'quantize',
    'quantize_weight',
    'softmax_codes',
    'unpack',
]
