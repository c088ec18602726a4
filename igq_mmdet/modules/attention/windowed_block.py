"""Blocks that cut images into windows, and say so to the layers inside."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..instances import instances, instances_inside
from ..variant import Variant


class WindowedBlock(Variant):
    """Stands for timm's Swin and SwinV2 blocks.

    Their attention gets the windows of all images in one dimension, some
    of them with tokens that the block pads in.
    """

    window_size: tuple[int, int]

    def _attn(self, x: Tensor) -> Tensor:
        keep = real_positions(
            x.shape[1], x.shape[2], *self.window_size, x.device
        )
        with instances(images=x.shape[0], keep=keep):
            return super()._attn(x)  # type: ignore[misc]


class WindowedImageBlock(Variant):
    """Stands for the blocks of timm's SAM, which are those of ViTDet.

    Some of them cut the image into windows, the others do not.
    """

    attn: nn.Module
    window_size: int

    def forward(self, x: Tensor) -> Tensor:
        """As the float class, (B, H, W, C)."""
        batch, height, width, _ = x.shape
        keep = None
        if self.window_size:
            keep = real_positions(
                height, width, self.window_size, self.window_size, x.device
            )
        with instances_inside(self.attn, images=batch, keep=keep):
            return super().forward(x)


class PartitionedBlock(Variant):
    """Stands for MaxViT's window and grid attention, which pad nothing."""

    def _partition_attn(self, x: Tensor) -> Tensor:
        with instances(images=x.shape[0]):
            return super()._partition_attn(x)  # type: ignore[misc]


def real_positions(
    height: int,
    width: int,
    window_height: int,
    window_width: int,
    device: torch.device,
) -> Tensor | None:
    """Which window positions hold a token of the image.

    Padding goes below and to the right, after any shift.

    Args:
        height (int): Height of the map in tokens.
        width (int): Width of the map in tokens.
        window_height (int): Height of a window in tokens.
        window_width (int): Width of a window in tokens.
        device (torch.device): Where the result lives.

    Returns:
        Tensor: Bool, (nW, N), or None where nothing is padded.
    """
    below, right = -height % window_height, -width % window_width
    if not below and not right:
        return None
    real = torch.ones(height, width, dtype=torch.bool, device=device)
    real = F.pad(real, (0, right, 0, below))
    windows = real.unflatten(0, (-1, window_height)).unflatten(
        2, (-1, window_width)
    )
    return windows.transpose(1, 2).reshape(-1, window_height * window_width)
