"""Figures that are means over images, such as top-1."""

import base64
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import DataError

BLOCK = 1 << 22  # draws times images at a time


@dataclass(frozen=True, eq=False)
class ImageValues:
    """One number an image; the figure of a run is their mean.

    Args:
        identity (str): The same for two runs on the same images.
        values (np.ndarray): (images,).
    """

    identity: str
    values: np.ndarray

    @property
    def images(self) -> int:
        """How many."""
        return len(self.values)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers survive exactly."""
        return {'identity': self.identity, 'values': self.values.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'ImageValues':
        """Takes back what :meth:`to_dict` gave.

        Args:
            data (Mapping): Read from JSON.

        Raises:
            DataError: It is something else.
        """
        try:
            values = np.asarray(data['values'], dtype=np.float64)
            if values.ndim != 1 or not values.size:
                raise ValueError('not a number an image')
            return cls(str(data['identity']), values)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f'not the values of images ({type(error).__name__}: {error})'
            ) from error

    def statistic(self, weights: np.ndarray) -> np.ndarray:
        """Means over images that are there so many times.

        Args:
            weights (np.ndarray): Whole numbers from 0, (draws, images).
        """
        step = max(1, BLOCK // max(1, self.images))
        sums = [
            weights[start : start + step] @ self.values
            for start in range(0, len(weights), step)
        ]
        with np.errstate(invalid='ignore'):
            return np.concatenate(sums) / weights.sum(axis=1)


def names_digest(names: Iterable[str]) -> str:
    """What tells sets of images apart.

    Args:
        names (Iterable[str]): Of the images, in order.
    """
    text = '\n'.join(names)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def pack_hits(hits: np.ndarray) -> str:
    """Right or wrong, a bit an image, as text for a JSON file.

    Args:
        hits (np.ndarray): bool, (images,).
    """
    return base64.b64encode(np.packbits(hits).tobytes()).decode()


def unpack_hits(data: Mapping[str, Any], images: Mapping[str, Any]) -> Any:
    """Takes back what reports of classifiers hold, in percent.

    Args:
        data (Mapping[str, str]): By metric, from :func:`pack_hits`.
        images (Mapping): ``count`` and ``names``, from
            :func:`names_digest`.

    Returns:
        dict[str, ImageValues]: By metric.

    Raises:
        DataError: They are damaged.
    """
    found = {}
    try:
        count, names = int(images['count']), str(images['names'])
        for key, text in data.items():
            packed = np.frombuffer(
                base64.b64decode(text, validate=True), np.uint8
            )
            if count < 1 or len(packed) != -(-count // 8):
                raise ValueError(f'{key}: not {count} images')
            hits = np.unpackbits(packed, count=count)
            found[str(key)] = ImageValues(names, 100.0 * hits)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f'what is right image by image is damaged '
            f'({type(error).__name__}: {error})'
        ) from error
    return found
