"""From a loaded image to what a map model and its metric take."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pycocotools.mask as mask_util
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement

from ..errors import DataError
from ..registry import CHILDREN
from .masks import read_mask

META = ('img_id', 'img_path', 'set_name', 'ori_shape', 'img_shape')


@CHILDREN['transform'].register_module()
class PackMap(BaseTransform):
    """Reads the mask of an image, at its own size, and packs both.

    The last step of a pipeline, after the image is loaded and resized.
    """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Packs one image.

        Args:
            results (dict): With ``img`` uint8 (h, w, 3) and what
                :class:`MapDataset` lists.

        Returns:
            dict: ``inputs`` uint8 (3, h, w) and ``data_samples``, a
            ``BaseDataElement`` with ``gt_mask`` bool (H, W) if there is a
            mask.

        Raises:
            DataError: The mask cannot be read, or the image was turned and
                the mask was not; names it.
        """
        image = np.ascontiguousarray(results['img'].transpose(2, 0, 1))
        sample = BaseDataElement(
            metainfo={key: results[key] for key in META if key in results}
        )
        mask = _mask(results)
        if mask is not None:
            _check_turned(results, mask)
            sample.gt_mask = torch.from_numpy(mask)
        return {'inputs': torch.from_numpy(image), 'data_samples': sample}


def _mask(results: Mapping[str, Any]) -> np.ndarray | None:
    if results.get('mask_path'):
        return read_mask(results['mask_path'])
    if 'segments' in results:
        size = results['height'], results['width']
        return union(results['segments'], size)
    return None


def union(segments: Sequence[Any], size: tuple[int, int]) -> np.ndarray:
    """One mask of the instances of an image.

    Args:
        segments (Sequence): Polygons or run lengths of each, as COCO has
            them.
        size (tuple[int, int]): Height and width of the image.

    Returns:
        np.ndarray: bool, (H, W).
    """
    rles: list[Any] = []
    for segment in segments:
        if isinstance(segment, list):
            rles += mask_util.frPyObjects(segment, *size)
        elif isinstance(segment['counts'], list):
            rles.append(mask_util.frPyObjects(segment, *size))
        else:
            rles.append(segment)
    if not rles:
        return np.zeros(size, dtype=bool)
    return mask_util.decode(mask_util.merge(rles)).astype(bool)


def _check_turned(results: Mapping[str, Any], mask: np.ndarray) -> None:
    """Sizes may differ, but not by a quarter turn."""
    height, width = results.get('ori_shape', mask.shape)[:2]
    if mask.shape == (width, height) and width != height:
        raise DataError(
            f'{results.get("img_path")}: is {width} x {height} and its mask '
            f'{height} x {width}; if EXIF turned it, read it with '
            "color_type='color_ignore_orientation'"
        )
