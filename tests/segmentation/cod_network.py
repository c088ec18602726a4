"""A small network in the style of published ones, unchanged by us.

PVTv2 of timm, a decoder of convolutions, and products across levels, as
SINet-V2 and its kin have them; it returns a list, the best map last.
"""

import timm
import torch
import torch.nn.functional as F
from torch import nn


class Block(nn.Sequential):
    """Convolution, norm, ReLU."""

    def __init__(self, inputs, outputs):
        super().__init__(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
        )


class CamouflageNet(nn.Module):
    """Images (B, 3, h, w) to [coarse, fine] logits (B, 1, h / 4, w / 4)."""

    def __init__(self, backbone='pvt_v2_b2', channels=16, **options):
        super().__init__()
        self.encoder = timm.create_model(
            backbone, features_only=True, **options
        )
        levels = self.encoder.feature_info.channels()
        self.reduce = nn.ModuleList(Block(c, channels) for c in levels)
        self.fuse = nn.ModuleList(Block(channels, channels) for _ in levels)
        self.coarse = nn.Conv2d(channels, 1, 1)
        self.fine = nn.Conv2d(2 * channels, 1, 1)

    def forward(self, images):
        levels = [
            reduce(level)
            for reduce, level in zip(
                self.reduce, self.encoder(images), strict=True
            )
        ]
        *rest, deep = levels
        product = deep
        for level, fuse in zip(reversed(rest), self.fuse, strict=False):
            up = F.interpolate(
                product,
                level.shape[-2:],
                mode='bilinear',
                align_corners=False,
            )
            product = fuse(level * up)
        coarse = F.interpolate(self.coarse(deep), product.shape[-2:])
        both = torch.cat([product, self.fuse[-1](rest[0])], dim=1)
        return [coarse, self.fine(both)]


def tiny(**options):
    """The same, narrow and shallow."""
    return CamouflageNet(
        'pvt_v2_b0',
        8,
        depths=(1, 1, 1, 1),
        embed_dims=(16, 16, 20, 32),
        **options,
    )


class NoMap(nn.Module):
    """Gives tokens."""

    def __init__(self):
        super().__init__()
        self.network = nn.Linear(3, 1)

    def forward(self, images):
        return images.new_zeros(len(images), 7, 32)


def no_map():
    """For a config."""
    return NoMap()
