"""RoIAlign for RoIs that stay where they are, many times over on a CPU.

Pooling is linear in the features. With fixed RoIs its weights are the same
in every pass, so they are worked out once and a pass is one weighted sum of
pixels.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from mmcv.ops import RoIAlign
from torch import Tensor, nn


class FixedRoIs:
    """Replaces ``RoIAlign`` while RoIs are fixed; same values to rounding.

    Weights are kept for one set of RoIs a layer, that of the last image.
    """

    def __init__(self) -> None:
        self._known: dict[Any, tuple[Tensor, tuple[Tensor, ...]]] = {}

    @contextmanager
    def pooling(self, extractors: nn.Module) -> Iterator[None]:
        """Within this context the RoI layers of a module use the weights.

        Args:
            extractors (nn.Module): Holds ``RoIAlign`` layers; others, and
                those on a GPU, do as they always do.
        """
        with ExitStack() as stack:
            for name, layer in extractors.named_modules():
                if type(layer) is RoIAlign and layer.pool_mode == 'avg':
                    layer.__dict__['forward'] = self._forward(name, layer)
                    stack.callback(layer.__dict__.pop, 'forward')
            yield

    def _forward(self, name: str, layer: Any) -> Any:
        own = layer.forward

        def forward(features: Tensor, rois: Tensor) -> Tensor:
            if features.is_cuda or not len(rois):
                return own(features, rois)
            images = features.shape[0]
            boxes = rois[: len(rois) // images, 1:]
            if not torch.equal(rois[:, 1:], boxes.repeat(images, 1)):
                return own(features, rois)
            size = tuple(features.shape[2:])
            key = name, size
            if key not in self._known or not torch.equal(
                self._known[key][0], boxes
            ):
                self._known[key] = boxes, bilinear_sums(layer, boxes, size)
            return _pool(features, self._known[key][1], layer.output_size)

        return forward


def bilinear_sums(
    layer: Any, boxes: Tensor, size: tuple[int, ...]
) -> tuple[Tensor, ...]:
    """RoIAlign as weighted sums of pixels.

    The samples of a bin lie on a grid and bilinear weights are products,
    so those of a bin are an outer product of weights of rows and columns.

    Args:
        layer (RoIAlign): Output size, scale, sampling ratio, alignment.
        boxes (Tensor): Corners, (K, 4), in the image.
        size (tuple[int, int]): Height and width of the features.

    Returns:
        tuple[Tensor, Tensor, Tensor]: Pixels (M,), their weights (M,) and
        where the entries of each of the K * H' * W' bins start.
    """
    corners = boxes.double() * layer.spatial_scale
    if layer.aligned:
        corners = corners - 0.5
    x1, y1, x2, y2 = corners.unbind(1)
    spans = y2 - y1, x2 - x1
    if not layer.aligned:
        spans = spans[0].clamp(min=1), spans[1].clamp(min=1)
    rows, columns = (
        _axis_weights(start, span, bins, length, layer.sampling_ratio)
        for start, span, bins, length in zip(
            (y1, x1), spans, layer.output_size, size, strict=True
        )
    )
    row_first, row_count = _extent(rows)
    column_first, column_count = _extent(columns)
    entries = (row_count[:, :, None] * column_count[:, None]).flatten()
    starts = entries.cumsum(0) - entries
    bin_of = torch.repeat_interleave(entries)
    within = torch.arange(len(bin_of)) - starts[bin_of]
    roi, place = _split(bin_of, layer.output_size[0] * layer.output_size[1])
    bin_y, bin_x = _split(place, layer.output_size[1])
    down, along = _split(within, column_count[roi, bin_x])
    y = row_first[roi, bin_y] + down
    x = column_first[roi, bin_x] + along
    weights = rows[roi, bin_y, y] * columns[roi, bin_x, x]
    return y * size[1] + x, weights.float(), starts


def _split(index: Tensor, by: Any) -> tuple[Tensor, Tensor]:
    return index.div(by, rounding_mode='floor'), index % by


def _axis_weights(
    start: Tensor, span: Tensor, bins: int, length: int, ratio: int
) -> Tensor:
    """Mean bilinear weights of the samples of a bin, (K, bins, length)."""
    width = span / bins
    grid = torch.full_like(span, ratio) if ratio > 0 else width.ceil()
    inside = torch.arange(int(grid.max())) < grid[:, None]
    grid = grid.clamp(min=1)
    sample = torch.arange(inside.shape[1], dtype=start.dtype)
    step = (sample + 0.5) / grid[:, None]
    at = start[:, None, None] + width[:, None, None] * (
        torch.arange(bins)[:, None] + step[:, None]
    )
    inside = inside[:, None] & (at >= -1) & (at <= length)
    at = at.clamp(0, length - 1)
    low = at.floor().long()
    high = (low + 1).clamp(max=length - 1)
    part = at - low
    share = inside / grid[:, None, None]
    weights = at.new_zeros(len(start), bins, length)
    weights.scatter_add_(2, low, (1 - part) * share)
    weights.scatter_add_(2, high, part * share)
    return weights


def _extent(weights: Tensor) -> tuple[Tensor, Tensor]:
    """First of the nonzero weights and how many to the last, (K, bins)."""
    used = weights != 0
    first = used.int().argmax(2)
    last = weights.shape[2] - 1 - used.flip(2).int().argmax(2)
    return first, torch.where(used.any(2), last - first + 1, 0)


def _pool(
    features: Tensor, sums: tuple[Tensor, ...], size: tuple[int, int]
) -> Tensor:
    """Features, (B, C, H, W), to pooled ones, (B * K, C, H', W')."""
    images, channels = features.shape[:2]
    pixels, weights, starts = sums
    places = size[0] * size[1]
    pooled = features.new_empty(
        images, len(starts) // places, channels, places
    )
    # one image at a time stays in the cache; rows must be contiguous
    tables = features.flatten(2).transpose(1, 2).contiguous()
    for table, target in zip(tables, pooled, strict=True):
        bins = F.embedding_bag(
            pixels, table, starts, mode='sum', per_sample_weights=weights
        )
        target.copy_(bins.view(-1, places, channels).transpose(1, 2))
    return pooled.view(-1, channels, *size)
