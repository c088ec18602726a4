"""Which LayerNorm feeds one fully connected layer and nothing else.

Blocks are named by class: in a block that normalises after its layers, or
beside them, the same names mean something else.
"""

from torch import nn

_PRE_NORM = (('attn.qkv', 'norm1'), ('mlp.fc1', 'norm2'))
_MERGING = (('reduction', 'norm'),)

# class of the block -> (layer, its LayerNorm), as seen from the block
NORM_OF: dict[str, tuple[tuple[str, str], ...]] = {
    'mmdet.models.backbones.swin.SwinBlock': (
        ('attn.w_msa.qkv', 'norm1'),
        ('ffn.layers.0.0', 'norm2'),
    ),
    'mmdet.models.layers.transformer.utils.PatchMerging': _MERGING,
    'timm.models.vision_transformer.Block': _PRE_NORM,
    'timm.models.swin_transformer.SwinTransformerBlock': _PRE_NORM,
    'timm.models.swin_transformer.PatchMerging': _MERGING,
    'torchvision.models.swin_transformer.SwinTransformerBlock': (
        ('attn.qkv', 'norm1'),
        ('mlp.0', 'norm2'),
    ),
    # normalises after its layers, unlike the class it derives from
    'torchvision.models.swin_transformer.SwinTransformerBlockV2': (),
    'torchvision.models.swin_transformer.PatchMerging': _MERGING,
}


def norm_pairs(model: nn.Module) -> dict[str, str]:
    """The LayerNorms whose only reader is a fully connected layer.

    Args:
        model (nn.Module): A float or a quantized model.

    Returns:
        dict[str, str]: Name of the LayerNorm by name of the layer.
    """
    modules = dict(model.named_modules())
    pairs = {}
    for name, block in modules.items():
        inside = f'{name}.' if name else ''
        # what stands for a block is of a class derived from the block's
        for kind in type(block).__mro__:
            key = f'{kind.__module__}.{kind.__qualname__}'
            for layer, norm in NORM_OF.get(key, ()):
                found = modules.get(inside + norm)
                if isinstance(found, nn.LayerNorm):
                    if found.elementwise_affine and inside + layer in modules:
                        pairs[inside + layer] = inside + norm
            if key in NORM_OF:
                break  # a class derived from it may do otherwise
    return pairs
