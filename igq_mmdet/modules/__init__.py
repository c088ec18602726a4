"""One quantized ``nn.Module`` a file, and the table that chooses them.

Imports: errors, field_checks, kernels, methods, operators, quantizers, spec.
"""

from .attention.shift_window_attention import QuantShiftWindowMSA
from .attention.window_attention import QuantWindowMSA
from .base import LayerConfig, QuantModule
from .instances import Instances, current_instances, instances
from .layers.conv import QuantConv2d
from .layers.conv_transpose import QuantConvTranspose2d
from .layers.linear import QuantLinear
from .weight_module import QuantWeightModule

__all__ = [
    'Instances',
    'LayerConfig',
    'QuantConv2d',
    'QuantConvTranspose2d',
    'QuantLinear',
    'QuantModule',
    'QuantShiftWindowMSA',
    'QuantWeightModule',
    'QuantWindowMSA',
    'current_instances',
    'instances',
]
