"""Between a detector's data samples and the lines that keep them."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pycocotools.mask as mask_util
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import BaseBoxes
from mmdet.structures.mask import encode_mask_results
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor

from ...files.png_text import png_text, png_values

# Written plainly while they have these types and shapes.
PLAIN = {
    'scores': (torch.float32, (-1,)),
    'labels': (torch.int64, (-1,)),
    'bboxes': (torch.float32, (-1, 4)),
}
# Of the annotations, for metrics that take them from data samples.
TRUTH = ('gt_instances', 'ignored_instances')


class CannotKeep(Exception):
    """A prediction that lines cannot hold; says which."""


def to_entry(sample: Any, img_id: Any, with_truth: bool) -> dict[str, Any]:
    """What is kept of one image; everything comes back exactly.

    Args:
        sample (DetDataSample): As ``test_step`` returns it.
        img_id (int | str): Of the image.
        with_truth (bool): Whether to keep annotated boxes as well.

    Returns:
        dict: See :class:`igq_mmdet.report.predictions.Predictions`.

    Raises:
        CannotKeep: It holds more than a map, or than instances with boxes,
            scores, labels, masks and further tensors.
    """
    wanted = sorted(k for k in sample.keys() if k.startswith('pred_'))
    if wanted == ['pred_map']:
        return map_entry(sample, img_id, with_truth)
    if wanted != ['pred_instances']:
        found = ', '.join(wanted) or 'nothing predicted'
        raise CannotKeep(f'{found}; only pred_instances can be kept')
    entry, meta = _about(sample, img_id)
    more: dict[str, Any] = {}
    for key, value in sample.pred_instances.items():
        if key == 'masks':
            entry['masks'] = rle_masks(value)
            continue
        if isinstance(value, BaseBoxes):
            value = value.tensor
        if key in PLAIN:
            entry[key] = value.tolist()
            dtype, shape = PLAIN[key]
            if value.dtype == dtype and value.shape[1:] == shape[1:]:
                continue
        more.setdefault('pred_instances', {})[key] = _pack(key, value)
    for name in TRUTH if with_truth else ():
        if name in sample:
            more[name] = {
                key: _pack(f'{name}.{key}', value)
                for key, value in sample.get(name).items()
                if key != 'masks'
            }
    if meta:
        entry['meta'] = meta
    if more:
        entry['more'] = more
    return entry


def to_sample(entry: Mapping[str, Any], decode: bool) -> DetDataSample:
    """The data sample that an entry was made of.

    Args:
        entry (Mapping): From :func:`to_entry`, read back from JSON.
        decode (bool): Masks as a bool tensor (N, H, W); otherwise as RLE,
            which COCO metrics take.

    Returns:
        DetDataSample: On the CPU.
    """
    if 'map' in entry:
        return map_sample(entry)
    sample = DetDataSample(metainfo=_metainfo(entry))
    pred = InstanceData()
    more = dict(entry.get('more', {}))
    special = more.pop('pred_instances', {})
    for key, (dtype, shape) in PLAIN.items():
        if key in entry and key not in special:
            value = torch.tensor(entry[key], dtype=dtype)
            pred.set_field(value.reshape(shape), key)
    if 'masks' in entry:
        masks: Any = entry['masks']
        if decode:
            height, width = entry['ori_shape']
            masks = torch.zeros(0, height, width, dtype=torch.bool)
            if entry['masks']:
                stacked = mask_util.decode(entry['masks']).transpose(2, 0, 1)
                masks = torch.from_numpy(stacked.astype(bool))
        pred.set_field(masks, 'masks')
    for key, value in special.items():
        pred.set_field(_unpack(value), key)
    sample.pred_instances = pred
    for name, fields in more.items():
        values = {key: _unpack(value) for key, value in fields.items()}
        setattr(sample, name, InstanceData(**values))
    return sample


def map_entry(sample: Any, img_id: Any, with_truth: bool) -> dict[str, Any]:
    """What is kept of an image's map; everything comes back exactly.

    Args:
        sample (BaseDataElement): With ``pred_map`` int32 (h, w), 16 bits.
        img_id (int | str): Of the image.
        with_truth (bool): Whether to keep its mask as well.

    Returns:
        dict: ``map`` and ``mask`` are PNG files in base64, of 16 bits and
        one.
    """
    entry, meta = _about(sample, img_id)
    codes = sample.pred_map.cpu().numpy().astype(np.uint16)
    entry['map'] = png_text(codes)
    if with_truth and 'gt_mask' in sample:
        entry['mask'] = png_text(sample.gt_mask.cpu().numpy())
    if meta:
        entry['meta'] = meta
    return entry


def map_sample(entry: Mapping[str, Any]) -> BaseDataElement:
    """The inverse of :func:`map_entry`."""
    sample = BaseDataElement(metainfo=_metainfo(entry))
    codes = png_values(entry['map']).astype(np.int32)
    sample.pred_map = torch.from_numpy(codes)
    if 'mask' in entry:
        mask = png_values(entry['mask']).astype(bool)
        sample.gt_mask = torch.from_numpy(mask)
    return sample


def _about(sample: Any, img_id: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """How an entry begins, and what else is known of the image."""
    meta = {k: v for k, v in sample.metainfo.items() if _is_json(v)}
    meta.pop('img_id', None)
    entry = {
        'img_id': img_id,
        'img_path': meta.pop('img_path', None),
        'ori_shape': meta.pop('ori_shape', None),
    }
    return entry, meta


def _metainfo(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What :func:`_about` took apart."""
    about = {key: entry[key] for key in ('img_id', 'img_path', 'ori_shape')}
    about |= entry.get('meta', {})
    return {key: _tuples(value) for key, value in about.items()}


def with_masks(sample: Any, masks: list[dict[str, Any]]) -> DetDataSample:
    """The same sample with masks encoded, so that it is done only once.

    Args:
        sample (DetDataSample): It is not changed.
        masks (list[dict]): RLE of its masks.
    """
    new = sample.new()
    fields = {k: v for k, v in sample.pred_instances.items() if k != 'masks'}
    new.pred_instances = InstanceData(**fields, masks=masks)
    return new


def rle_masks(masks: Any) -> list[dict[str, Any]]:
    """COCO RLE of masks, with texts for counts as JSON wants them.

    Args:
        masks (Tensor | ndarray | list): (N, H, W), or RLE already.
    """
    if isinstance(masks, Tensor):
        masks = masks.detach().cpu().numpy()
    if isinstance(masks, np.ndarray):
        masks = encode_mask_results(masks)
    if not all(isinstance(mask, Mapping) for mask in masks):
        raise CannotKeep('pred_instances.masks: neither an array nor RLE')
    return [
        {
            'size': [int(side) for side in mask['size']],
            'counts': mask['counts'].decode()
            if isinstance(mask['counts'], bytes)
            else mask['counts'],
        }
        for mask in masks
    ]


def _pack(name: str, value: Any) -> dict[str, Any]:
    if isinstance(value, BaseBoxes):
        value = value.tensor
    if isinstance(value, Tensor):
        return {
            'dtype': str(value.dtype).removeprefix('torch.'),
            'shape': list(value.shape),
            'data': value.flatten().tolist(),
        }
    if isinstance(value, np.ndarray) and value.dtype.kind in 'biuf':
        return {'numpy': True, **_pack(name, torch.from_numpy(value))}
    if isinstance(value, list | tuple) and _is_json(value):
        return {'list': list(value)}
    raise CannotKeep(f'{name}: {type(value).__name__} cannot be kept')


def _unpack(packed: Mapping[str, Any]) -> Any:
    if 'list' in packed:
        return packed['list']
    dtype = getattr(torch, packed['dtype'])
    value = torch.tensor(packed['data'], dtype=dtype).reshape(packed['shape'])
    return value.numpy() if packed.get('numpy') else value


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _tuples(value: Any) -> Any:
    """Shapes and factors are tuples where they come from."""
    if isinstance(value, list) and all(
        isinstance(one, int | float) for one in value
    ):
        return tuple(value)
    return value
