"""Which detections of a run are right, image by image, as COCOeval says."""

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from ...errors import DataError
from .average_precision import FALSE, IGNORED, TRUE, average_precision

# What reading a field of damaged JSON can raise.
READING = (
    *(KeyError, TypeError, ValueError, AttributeError, IndexError),
    *(OverflowError, zlib.error),
)


@dataclass(frozen=True, eq=False)
class Matches:
    """Detections class by class, in the order in which AP takes them.

    Scores have done their part when detections are in order, and are not
    kept. ``D`` detections, ``T`` IoU thresholds, ``A`` ranges of area, ``K``
    classes, ``I`` images.

    Args:
        image_ids (tuple[int | str, ...]): In COCOeval's order.
        ious (np.ndarray): Thresholds, float64 (T,).
        recalls (np.ndarray): At which precision is read, float64 (R,).
        areas (tuple[str, ...]): Names of the ranges, such as ``all``.
        max_dets (tuple[int, ...]): Detections of a class and image that
            count.
        truths (np.ndarray): Annotated objects that count, int32 (K, A, I).
        starts (np.ndarray): Where each class starts, int32 (K + 1,).
        image (np.ndarray): Index of the image, int32 (D,).
        rank (np.ndarray): Place by score in its class and image, int32
            (D,).
        found (np.ndarray): ``TRUE``, ``FALSE`` or ``IGNORED``, uint8
            (A, T, D).
    """

    image_ids: tuple[Any, ...]
    ious: np.ndarray
    recalls: np.ndarray
    areas: tuple[str, ...]
    max_dets: tuple[int, ...]
    truths: np.ndarray
    starts: np.ndarray
    image: np.ndarray
    rank: np.ndarray
    found: np.ndarray

    @classmethod
    def of(cls, run: Any) -> 'Matches':
        """What a COCOeval found; nothing is matched again.

        Args:
            run (COCOeval): After ``evaluate()``.
        """
        params = run._paramsEval
        ids, areas = list(params.imgIds), list(params.areaRngLbl)
        every = np.empty(len(run.evalImgs), dtype=object)
        every[:] = run.evalImgs
        cells = every.reshape(-1, len(areas), len(ids))
        truths = np.zeros(cells.shape, dtype=np.int32)
        for place, cell in np.ndenumerate(cells):
            if cell is not None:
                truths[place] = np.count_nonzero(cell['gtIgnore'] == 0)
        classes = [_in_order(one, len(params.iouThrs)) for one in cells]
        sizes = [len(image) for image, _, _ in classes]
        return cls(
            tuple(x.item() if isinstance(x, np.generic) else x for x in ids),
            np.asarray(params.iouThrs, dtype=np.float64),
            np.asarray(params.recThrs, dtype=np.float64),
            tuple(areas),
            tuple(map(int, params.maxDets)),
            truths,
            np.cumsum([0, *sizes], dtype=np.int32),
            np.concatenate([image for image, _, _ in classes]),
            np.concatenate([rank for _, rank, _ in classes]),
            np.concatenate([found for _, _, found in classes], axis=2),
        )

    @property
    def images(self) -> int:
        """How many."""
        return len(self.image_ids)

    @cached_property
    def identity(self) -> str:
        """Digest of images, annotations and how both are judged."""
        about = [self.image_ids, self.areas, self.max_dets]
        sha = hashlib.sha256(json.dumps(about).encode())
        for values in (self.ious, self.recalls, self.truths):
            sha.update(np.ascontiguousarray(values).tobytes())
        return sha.hexdigest()

    def statistic(self, weights: np.ndarray) -> np.ndarray:
        """AP as a fraction, see :func:`average_precision`."""
        return average_precision(self, weights)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; arrays are packed."""
        return {
            field.name: _pack(value)
            if isinstance(value, np.ndarray)
            else list(value)
            for field in fields(self)
            for value in [getattr(self, field.name)]
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'Matches':
        """Takes back what :meth:`to_dict` gave.

        Args:
            data (Mapping): Read from JSON.

        Raises:
            DataError: It is something else.
        """
        try:
            matches = cls(
                image_ids=tuple(data['image_ids']),
                ious=_unpack(data['ious'], np.float64),
                recalls=_unpack(data['recalls'], np.float64),
                areas=tuple(map(str, data['areas'])),
                max_dets=tuple(map(int, data['max_dets'])),
                truths=_unpack(data['truths'], np.int32),
                starts=_unpack(data['starts'], np.int32),
                image=_unpack(data['image'], np.int32),
                rank=_unpack(data['rank'], np.int32),
                found=_unpack(data['found'], np.uint8),
            )
            matches._check()
        except READING as error:
            raise DataError(
                f'not the matches of a run ({type(error).__name__}: {error})'
            ) from error
        return matches

    def _check(self) -> None:
        size, images = len(self.image), len(self.image_ids)
        shapes = {
            'truths': (len(self.starts) - 1, len(self.areas), images),
            'rank': (size,),
            'found': (len(self.areas), len(self.ious), size),
        }
        for name, shape in shapes.items():
            if getattr(self, name).shape != shape:
                raise ValueError(f'{name} is not of shape {shape}')
        steps = np.diff(self.starts)
        if self.starts[0] != 0 or self.starts[-1] != size or min(steps) < 0:
            raise ValueError('classes do not follow each other')
        if size and not 0 <= self.image.min() <= self.image.max() < images:
            raise ValueError('an image that is not listed')
        if self.truths.size and self.truths.min() < 0:
            raise ValueError('fewer than no annotated objects')


def _in_order(
    cells: np.ndarray, thresholds: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Image, rank and found (A, T, D) of one class, cells (A, I)."""
    any_area = [(i, one) for i, one in enumerate(cells[0]) if one is not None]
    sizes = [len(one['dtScores']) for _, one in any_area]
    if not sum(sizes):
        none = np.zeros(0, dtype=np.int32)
        return none, none, np.zeros((len(cells), thresholds, 0), np.uint8)
    image = np.repeat([i for i, _ in any_area], sizes).astype(np.int32)
    rank = np.concatenate([np.arange(size) for size in sizes])
    scores = np.concatenate([one['dtScores'] for _, one in any_area])
    # as COCOeval sorts: equal scores in the order of images
    order = np.argsort(-scores, kind='mergesort')
    found: list[np.ndarray] = []
    for area in cells:
        matched, ignored = (
            np.concatenate(
                [one[name] for one in area if one is not None], axis=1
            )[:, order].astype(bool)
            for name in ('dtMatches', 'dtIgnore')
        )
        found.append(np.where(matched, TRUE, FALSE).astype(np.uint8))
        found[-1][ignored] = IGNORED
    return image[order], rank[order].astype(np.int32), np.stack(found)


def _pack(values: np.ndarray) -> dict[str, Any]:
    content = zlib.compress(np.ascontiguousarray(values).tobytes())
    return {
        'shape': list(values.shape),
        'data': base64.b64encode(content).decode(),
    }


def _unpack(packed: Mapping[str, Any], dtype: Any) -> np.ndarray:
    content = zlib.decompress(base64.b64decode(packed['data'], validate=True))
    return np.frombuffer(content, dtype).reshape(packed['shape'])
