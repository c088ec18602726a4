"""One setting against another on the same images, with its interval."""

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import stdev
from typing import Any

import numpy as np

from ...errors import DataError
from .resampling import Resampled

CONFIDENCE = 0.95
ABOVE, BELOW, CANNOT_TELL = 'above', 'below', 'cannot tell'
Seeds = Mapping[Any, Resampled]


@dataclass(frozen=True)
class Difference:
    """How far one setting is above another.

    Args:
        mean (float): Over seeds, on all images.
        low (float): Lower end of the 95 % interval over images.
        high (float): Its upper end.
        seeds (int): Of calibration images, that both were evaluated with.
        spread (float, optional): Standard deviation over seeds; None for
            one.
    """

    mean: float
    low: float
    high: float
    seeds: int = 1
    spread: float | None = None

    @property
    def word(self) -> str:
        """What the interval allows to say: a 0 in it allows nothing."""
        if self.low > 0:
            return ABOVE
        return BELOW if self.high < 0 else CANNOT_TELL

    @property
    def reach(self) -> tuple[float, float, float]:
        """What a picture of it must hold."""
        return self.low, self.mean, self.high

    def figures(self, scale: float = 1.0) -> str:
        """Such as ``+0.58 ± 0.12 [+0.21, +0.94]``.

        Args:
            scale (float): 100 for fractions. Defaults to 1.
        """
        mean, low, high = (
            # no -0.00
            f'{round(scale * x, 2) + 0.0:+.2f}'
            for x in (self.mean, self.low, self.high)
        )
        seeds = ''
        if self.spread is not None:
            seeds = f' ± {scale * self.spread:.2f}'
        return f'{mean}{seeds} [{low}, {high}]'

    def text(self, scale: float = 1.0) -> str:
        """The figures and the word, see :meth:`figures`."""
        return f'{self.figures(scale)} {self.word}'

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            'difference': self.mean,
            'interval': [self.low, self.high],
            'seeds': self.seeds,
            'spread': self.spread,
            'word': self.word,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> 'Difference':
        """Takes back what :meth:`to_dict` gave."""
        low, high = data['interval']
        return cls(
            data['difference'], low, high, data['seeds'], data['spread']
        )


def difference(one: Seeds, other: Seeds) -> Difference:
    """Compares two settings on the same draws of images.

    Seeds are paired as well: those that both have. A setting without one, as
    the float model (key None), stands beside every seed of the other. The
    interval is that of the mean over seeds, so it says what other images
    would change, not what other calibration images would; the spread does.

    Args:
        one (Mapping[int | None, Resampled]): By seed.
        other (Mapping[int | None, Resampled]): Likewise.

    Raises:
        DataError: They are of different images, have no seed in common, or
            the figure is not defined on all images.
    """
    pairs = [
        (one.get(seed, one.get(None)), other.get(seed, other.get(None)))
        for seed in sorted(
            {*one, *other} - {None}, key=lambda seed: (str(type(seed)), seed)
        )
        or [None]
    ]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    if len({x.identity for pair in both for x in pair}) > 1:
        raise DataError('evaluated on different images or annotations')
    if not both:
        raise DataError('no seed of calibration images in common')
    off = np.stack([a.values - b.values for a, b in both])
    mean = off.mean(axis=0)
    defined = mean[1:][np.isfinite(mean[1:])]
    if not np.isfinite(mean[0]) or not len(defined):
        raise DataError('nothing is annotated, or not judged as COCO does')
    outside = 50 * (1 - CONFIDENCE)
    low, high = np.percentile(defined, [outside, 100 - outside])
    return Difference(
        float(mean[0]),
        float(low),
        float(high),
        len(both),
        stdev(off[:, 0].tolist()) if len(both) > 1 else None,
    )
