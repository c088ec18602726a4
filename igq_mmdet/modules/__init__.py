"""One quantized ``nn.Module`` a file, and the table that chooses them."""

from .base import LayerConfig, QuantModule, QuantWeightModule
from .conv import QuantConv2d
from .conv_transpose import QuantConvTranspose2d
from .instances import Instances, current_instances, instances
from .linear import QuantLinear
from .shift_window_attention import QuantShiftWindowMSA
from .window_attention import QuantWindowMSA

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
