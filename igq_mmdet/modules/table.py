"""Which float class becomes which quantized class: the one place.

Classes are named, not imported, so that no optional package is needed.
"""

from collections.abc import Callable
from typing import Any

from torch import nn

from .attention.conditional_attention import QuantConditionalAttention
from .attention.cosine_attention import QuantCosineAttention
from .attention.float_window_attention import FloatWindowMSA
from .attention.fused_attention import QuantFusedAttention
from .attention.multihead_attention import QuantMultiheadAttention
from .attention.shift_window_attention import QuantShiftWindowMSA
from .attention.shifted_window_attention import (
    QuantShiftedWindows,
    ShiftedWindows,
)
from .attention.split_attention import SplitMultiheadAttention, projections
from .attention.window_attention import QuantWindowMSA
from .attention.windowed_block import (
    PartitionedBlock,
    WindowedBlock,
    WindowedImageBlock,
)
from .base import QuantModule
from .detr_layers import (
    LayersFirstHead,
    PaddedDeformableAttention,
    PaddedEncoderLayer,
)
from .layers.conv import QuantConv2d
from .layers.conv_transpose import QuantConvTranspose2d
from .layers.folded_bias import fold_bias
from .layers.linear import QuantLinear
from .roi_instances import SideRowsHead

# float class -> quantized class of a layer with settings of its own
LAYERS: dict[str, type[QuantModule]] = {
    'torch.nn.modules.linear.Linear': QuantLinear,
    'torch.nn.modules.linear.NonDynamicallyQuantizableLinear': QuantLinear,
    'torch.nn.modules.activation.MultiheadAttention': QuantMultiheadAttention,
    f'{__package__}.attention.split_attention.SplitMultiheadAttention': (
        QuantMultiheadAttention
    ),
    'torch.nn.modules.conv.Conv2d': QuantConv2d,
    'torch.nn.modules.conv.ConvTranspose2d': QuantConvTranspose2d,
    'mmcv.cnn.bricks.wrappers.Linear': QuantLinear,
    'mmcv.cnn.bricks.wrappers.Conv2d': QuantConv2d,
    'mmcv.cnn.bricks.wrappers.ConvTranspose2d': QuantConvTranspose2d,
    'mmdet.models.backbones.swin.WindowMSA': QuantWindowMSA,
    'mmdet.models.layers.transformer.utils.ConditionalAttention': (
        QuantConditionalAttention
    ),
    'timm.layers.attention.Attention': QuantFusedAttention,
    'timm.layers.attention.AttentionRope': QuantFusedAttention,
    'timm.layers.attention_pool.AttentionPoolLatent': QuantFusedAttention,
    'timm.models.beit.Attention': QuantFusedAttention,
    'timm.models.eva.EvaAttention': QuantFusedAttention,
    'timm.models.maxxvit.Attention2d': QuantFusedAttention,
    'timm.models.maxxvit.AttentionCl': QuantFusedAttention,
    'timm.models.pvt_v2.Attention': QuantFusedAttention,
    'timm.models.swin_transformer.WindowAttention': QuantFusedAttention,
    'timm.models.swin_transformer_v2.WindowAttention': QuantCosineAttention,
    'timm.models.vision_transformer.Attention': QuantFusedAttention,
    'timm.models.vision_transformer_sam.Attention': QuantFusedAttention,
    'timm.models.vision_transformer_relpos.RelPosAttention': (
        QuantFusedAttention
    ),
    **{
        f'torchvision.models.swin_transformer.ShiftedWindowAttention{v}': (
            QuantShiftedWindows
        )
        for v in ('', 'V2')
    },
}

# float class -> what stands for it once a layer inside it is quantized
CONTAINERS: dict[str, Callable[[nn.Module], nn.Module]] = {
    'mmdet.models.backbones.swin.ShiftWindowMSA': (
        QuantShiftWindowMSA.from_float
    ),
    'mmdet.models.backbones.swin.WindowMSA': (
        lambda module: FloatWindowMSA().adopt(module)
    ),
    'mmcv.ops.multi_scale_deform_attn.MultiScaleDeformableAttention': (
        PaddedDeformableAttention.from_float
    ),
    **{
        f'mmdet.models.layers.transformer.{name}TransformerEncoderLayer': (
            PaddedEncoderLayer.from_float
        )
        for name in (
            'detr_layers.Detr',
            'deformable_detr_layers.DeformableDetr',
        )
    },
    **{
        f'mmdet.models.dense_heads.{name}': LayersFirstHead.from_float
        for name in (
            'conditional_detr_head.ConditionalDETRHead',
            'dab_detr_head.DABDETRHead',
            'detr_head.DETRHead',
        )
    },
    'mmdet.models.roi_heads.bbox_heads.sabl_head.SABLHead': (
        SideRowsHead.from_float
    ),
    'timm.models.beit.Attention': fold_bias,
    'timm.models.eva.EvaAttention': fold_bias,
    'timm.models.maxxvit.ParallelPartitionAttention': (
        PartitionedBlock.from_float
    ),
    'timm.models.maxxvit.PartitionAttentionCl': PartitionedBlock.from_float,
    'timm.models.swin_transformer.SwinTransformerBlock': (
        WindowedBlock.from_float
    ),
    'timm.models.swin_transformer_v2.SwinTransformerV2Block': (
        WindowedBlock.from_float
    ),
    'timm.models.swin_transformer_v2.WindowAttention': fold_bias,
    'timm.models.vision_transformer_sam.Block': (
        WindowedImageBlock.from_float
    ),
    **{
        f'torchvision.models.swin_transformer.ShiftedWindowAttention{v}': (
            ShiftedWindows.adopt
        )
        for v in ('', 'V2')
    },
}

# float class -> the same with layers of their own, before anything else
SPLITS: dict[str, Callable[[Any], nn.Module]] = {
    'torch.nn.modules.activation.MultiheadAttention': (
        SplitMultiheadAttention.from_float
    ),
}

# float class -> kind of its own products that stay in float, and why
FLOAT_PRODUCTS: dict[str, dict[str, str]] = {
    'mmdet.models.dense_heads.mask2former_head.Mask2FormerHead': {
        'product': 'masks: queries times pixels, neither FC nor attention'
    },
    'timm.models.vision_transformer_sam.Attention': {
        'linear': 'position bias, made of Q; position bias is float'
    },
}

# quantized classes whose groups are groups of softmax rows
ATTENTION: tuple[type, ...] = (
    QuantConditionalAttention,
    QuantCosineAttention,
    QuantFusedAttention,
    QuantMultiheadAttention,
    QuantShiftedWindows,
    QuantWindowMSA,
)


def class_name(module: nn.Module) -> str:
    """The name under which a module's class stands in the tables."""
    return _full_name(type(module))


def _full_name(kind: type) -> str:
    return f'{kind.__module__}.{kind.__qualname__}'


def quantized_class(module: nn.Module) -> type[QuantModule] | None:
    """The quantized class of a float layer, or None if it has none."""
    return LAYERS.get(class_name(module))


def float_children(module: nn.Module) -> dict[str, str]:
    """Children of an attention that stay in float, and why.

    Args:
        module (nn.Module): Float or quantized.
    """
    kind = quantized_class(module) or type(module)
    return getattr(kind, 'FLOAT_CHILDREN', {})


def float_products(module: nn.Module) -> dict[str, str]:
    """Kinds of a module's own products that stay in float, and why.

    Args:
        module (nn.Module): Float, or standing for a float one.
    """
    reasons: dict[str, str] = {}
    for kind in type(module).__mro__:
        reasons |= FLOAT_PRODUCTS.get(_full_name(kind), {})
    return reasons


def inner_layers(module: nn.Module) -> dict[str, nn.Module]:
    """Layers that a module gets only when it is split, by name.

    Args:
        module (nn.Module): A float module.
    """
    if class_name(module) in SPLITS:
        return dict(projections(module))  # type: ignore[arg-type]
    return {}
