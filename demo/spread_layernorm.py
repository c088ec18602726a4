"""Makes a small Swin detector's activations as uneven as a large one's.

Channels of a large pretrained transformer differ in range by an order of
magnitude, those of a small one trained from scratch hardly do. Multiplying a
channel by a factor and dividing the weights that read it by the same factor
leaves the function as it is and gives the small one such channels.
"""

import torch
from torch import Tensor, nn


def spread_layernorm(detector: nn.Module, std: float, seed: int) -> None:
    """Scale channels by ``exp(std * normal)``, in place.

    Scaled are each LayerNorm read by weights alone, the value channels of
    each attention and the first layer of the box head. The patch embedding's
    LayerNorm feeds a residual sum too and stays.

    Args:
        detector (nn.Module): A two-stage mmdet detector with a Swin backbone,
            an FPN without norm layers and a box head of two shared layers.
        std (float): Standard deviation of the factors' logarithm.
        seed (int): Seed of the factors.
    """
    generator = torch.Generator().manual_seed(seed)

    def factors(channels: int) -> Tensor:
        return torch.exp(std * torch.randn(channels, generator=generator))

    def spread(writer: nn.Module, reader: nn.Module) -> None:
        """Scale all outputs of ``writer``, which only ``reader`` reads."""
        scale = factors(writer.weight.shape[0])
        _scale_rows(writer, scale)
        _divide_columns(reader, scale)

    backbone = detector.backbone
    with torch.no_grad():
        for number, (stage, lateral) in enumerate(
            zip(backbone.stages, detector.neck.lateral_convs, strict=True)
        ):
            for block in stage.blocks:
                attention = block.attn.w_msa
                spread(block.norm1, attention.qkv)
                spread(block.norm2, block.ffn.layers[0][0])
                width = attention.proj.in_features
                scale = torch.ones(3 * width)
                scale[2 * width :] = factors(width)
                _scale_rows(attention.qkv, scale)
                _divide_columns(attention.proj, scale[2 * width :])
            if stage.downsample is not None:
                spread(stage.downsample.norm, stage.downsample.reduction)
            spread(getattr(backbone, f'norm{number}'), lateral.conv)
        # A ReLU between the two passes positive factors through.
        spread(*detector.roi_head.bbox_head.shared_fcs)


def _scale_rows(layer: nn.Module, scale: Tensor) -> None:
    scale = scale.to(layer.weight)
    shape = (-1, *[1] * (layer.weight.dim() - 1))
    layer.weight.mul_(scale.view(shape))
    if layer.bias is not None:
        layer.bias.mul_(scale)


def _divide_columns(layer: nn.Module, scale: Tensor) -> None:
    shape = (1, -1, *[1] * (layer.weight.dim() - 2))
    layer.weight.div_(scale.to(layer.weight).view(shape))
