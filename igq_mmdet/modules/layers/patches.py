"""What single outputs of a convolution are sums of."""

import torch
from torch import Tensor


def chosen(shape: tuple[int, ...], limit: int) -> Tensor:
    """Which outputs of a map to look at: all, or the same random ones.

    Args:
        shape (tuple[int, ...]): Of the outputs, (B, D, H, W).
        limit (int): At most so many.

    Returns:
        Tensor: Indices into B x H x W, int64.
    """
    total = shape[0] * shape[2] * shape[3]
    if total <= limit:
        return torch.arange(total)
    seeded = torch.Generator().manual_seed(total)
    return torch.randperm(total, generator=seeded)[:limit]


def outputs_at(x: Tensor, places: Tensor) -> Tensor:
    """Outputs by place.

    Args:
        x (Tensor): (B, D, H, W).
        places (Tensor): From :func:`chosen`, (R,).

    Returns:
        Tensor: (R, D).
    """
    return x.permute(0, 2, 3, 1).flatten(0, 2)[places.to(x.device)]


def patches(x: Tensor, image: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """The inputs under a kernel, as rows of a matrix.

    Args:
        x (Tensor): (B, C, H, W).
        image (Tensor): Which image of the batch, (R,).
        rows (Tensor): Row of the map under each row of the kernel, (R, h);
            outside the map is 0.
        columns (Tensor): Likewise, (R, w).

    Returns:
        Tensor: (R, C * h * w), in the order of a convolution's weight.
    """
    height, width = x.shape[2:]
    inside = ((rows >= 0) & (rows < height))[:, :, None] & (
        (columns >= 0) & (columns < width)
    )[:, None]
    row = image[:, None] * height + rows.clamp(0, height - 1)
    index = row[:, :, None] * width + columns.clamp(0, width - 1)[:, None]
    pixels = x.permute(0, 2, 3, 1).flatten(0, 2)
    found = pixels[index.flatten(1).to(x.device)]
    found *= inside.flatten(1)[..., None].to(x.device)
    return found.transpose(1, 2).flatten(1)
