"""Images drawn anew, and a figure of each draw."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

RESAMPLES, SEED = 500, 0


class PerImage(Protocol):
    """What is known of every image, and the figure that follows from it.

    :class:`Matches` and :class:`ImageValues` are two.
    """

    @property
    def images(self) -> int:
        """How many."""

    @property
    def identity(self) -> str:
        """The same for two runs on the same images and annotations."""

    def statistic(self, weights: np.ndarray) -> np.ndarray:
        """The figure if every image were there so many times.

        Args:
            weights (np.ndarray): Whole numbers, (draws, images).

        Returns:
            np.ndarray: (draws,); NaN where a draw does not define it.
        """


@dataclass(frozen=True, eq=False)
class Resampled:
    """A figure on all images, and on images drawn anew.

    Args:
        identity (str): Of images and annotations.
        values (np.ndarray): (1 + draws,), that of all images first.
    """

    identity: str
    values: np.ndarray

    @property
    def defined(self) -> bool:
        """Whether all images define the figure."""
        return bool(np.isfinite(self.values[0]))

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready; numbers survive exactly."""
        return {'identity': self.identity, 'values': self.values.tolist()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'Resampled':
        """Takes back what :meth:`to_dict` gave."""
        return cls(data['identity'], np.asarray(data['values']))


@lru_cache(maxsize=2)
def resamples(
    images: int, count: int = RESAMPLES, seed: int = SEED
) -> np.ndarray:
    """Draws as many images as there are, with replacement, many times.

    Args:
        images (int): How many there are.
        count (int): How many draws. Defaults to 500.
        seed (int): Of the draws. Defaults to 0.

    Returns:
        np.ndarray: How often each image is in each draw, (count, images);
        read-only.
    """
    generator = np.random.default_rng(seed)
    found = np.empty((count, images), dtype=np.uint16)
    for row in found:
        drawn = generator.integers(0, images, images)
        row[:] = np.bincount(drawn, minlength=images)
    found.flags.writeable = False
    return found


@dataclass(frozen=True, eq=False)
class PartOfImages:
    """Some of the images, under draws of all: a :class:`PerImage`.

    Args:
        whole (PerImage): Of all images.
        part (np.ndarray): Which of them count, bool (images,).
    """

    whole: PerImage
    part: np.ndarray

    @property
    def images(self) -> int:
        """How many are drawn from: all."""
        return self.whole.images

    @property
    def identity(self) -> str:
        """Of all images, and of which of them count."""
        packed = np.packbits(self.part).tobytes().hex()
        return f'{self.whole.identity}/{packed}'

    def statistic(self, weights: np.ndarray) -> np.ndarray:
        """See :class:`PerImage`."""
        return self.whole.statistic(weights * self.part)


def resampled(sample: PerImage, count: int = RESAMPLES) -> Resampled:
    """The figure of a run on all images and on every draw.

    All runs on as many images get the same draws, so that their differences
    are paired.

    Args:
        sample (PerImage): Of the run.
        count (int): How many draws. Defaults to 500.
    """
    whole = np.ones((1, sample.images), dtype=np.uint16)
    weights = np.concatenate([whole, resamples(sample.images, count)])
    return Resampled(sample.identity, sample.statistic(weights))
