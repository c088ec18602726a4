"""Which LayerNorm feeds which fully connected layer, and nothing else."""

from torch import nn

# (layer, its LayerNorm), as seen from the block that holds both
NORM_OF: tuple[tuple[str, str], ...] = (
    # mmdet's Swin
    ('attn.w_msa.qkv', 'norm1'),
    ('ffn.layers.0.0', 'norm2'),
    ('downsample.reduction', 'downsample.norm'),
    # timm's ViT, DeiT and Swin
    ('attn.qkv', 'norm1'),
    ('mlp.fc1', 'norm2'),
)


def norm_pairs(model: nn.Module) -> dict[str, str]:
    """The LayerNorms whose only reader is a fully connected layer.

    Args:
        model (nn.Module): A float or a quantized model.

    Returns:
        dict[str, str]: Name of the LayerNorm by name of the layer.
    """
    modules = dict(model.named_modules())
    pairs = {}
    for name in modules:
        for layer, norm in NORM_OF:
            if name != layer and not name.endswith('.' + layer):
                continue
            found = modules.get(name[: -len(layer)] + norm)
            if isinstance(found, nn.LayerNorm) and found.elementwise_affine:
                pairs[name] = name[: -len(layer)] + norm
    return pairs
