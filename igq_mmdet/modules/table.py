"""Which float class becomes which quantized class: the one place.

Classes are named, not imported, so that no optional package is needed.
"""

from torch import nn

from .conv import QuantConv2d
from .conv_transpose import QuantConvTranspose2d
from .linear import QuantLinear
from .shift_window_attention import QuantShiftWindowMSA
from .window_attention import QuantWindowMSA

# float class -> quantized class of a layer with settings of its own
LAYERS: dict[str, type] = {
    'torch.nn.modules.linear.Linear': QuantLinear,
    'torch.nn.modules.conv.Conv2d': QuantConv2d,
    'torch.nn.modules.conv.ConvTranspose2d': QuantConvTranspose2d,
    'mmcv.cnn.bricks.wrappers.Linear': QuantLinear,
    'mmcv.cnn.bricks.wrappers.Conv2d': QuantConv2d,
    'mmcv.cnn.bricks.wrappers.ConvTranspose2d': QuantConvTranspose2d,
    'mmdet.models.backbones.swin.WindowMSA': QuantWindowMSA,
}

# float class -> what stands for it when the named child is quantized
CONTAINERS: dict[str, tuple[type, str]] = {
    'mmdet.models.backbones.swin.ShiftWindowMSA': (
        QuantShiftWindowMSA,
        'w_msa',
    ),
}

# quantized classes whose groups are groups of softmax rows
ATTENTION: tuple[type, ...] = (QuantWindowMSA,)


def class_name(module: nn.Module) -> str:
    """The name under which a module's class stands in the tables."""
    kind = type(module)
    return f'{kind.__module__}.{kind.__qualname__}'


def quantized_class(module: nn.Module) -> type | None:
    """The quantized class of a float layer, or None if it has none."""
    return LAYERS.get(class_name(module))
