"""Tensors in, tensors out: knows no module, no image, no file.

Imports: kernels.
"""

from .base import ActivationQuantizer
from .channel_group import (
    ChannelBoundQuantizer,
    ChannelGroupQuantizer,
    assign_channels,
)
from .fixed_group import FixedGroupQuantizer
from .folded import FoldedQuantizer
from .integral_group import IntegralGroupQuantizer, max_multiple, round_base
from .log_sqrt2 import LogSqrt2Quantizer, fake_quantize_log_sqrt2
from .packing import pack, packed_size, unpack
from .row_group import RowBoundQuantizer, RowGroupQuantizer
from .softmax import has_row_steps, row_steps, softmax_codes
from .static import StaticQuantizer
from .uniform import fake_quantize, max_code, qparams, quantize
from .weight import dequantize_weight, quantize_weight

__all__ = [
    'ActivationQuantizer',
    'ChannelBoundQuantizer',
    'ChannelGroupQuantizer',
    'FixedGroupQuantizer',
    'FoldedQuantizer',
    'IntegralGroupQuantizer',
    'LogSqrt2Quantizer',
    'RowBoundQuantizer',
    'RowGroupQuantizer',
    'StaticQuantizer',
    'assign_channels',
    'dequantize_weight',
    'fake_quantize',
    'fake_quantize_log_sqrt2',
    'has_row_steps',
    'max_code',
    'max_multiple',
    'pack',
    'packed_size',
    'qparams',
    'quantize',
    'quantize_weight',
    'round_base',
    'row_steps',
    'softmax_codes',
    'unpack',
]
