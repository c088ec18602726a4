"""How sure a difference between two settings is: a paired bootstrap.

Images are drawn anew, as many as there are, and both settings are judged on
every draw. numpy does all of it.

Imports: errors.
"""

from .average_precision import average_precision
from .difference import Difference, difference
from .image_values import ImageValues, names_digest, pack_hits, unpack_hits
from .matches import Matches
from .resampling import (
    RESAMPLES,
    SEED,
    PartOfImages,
    PerImage,
    Resampled,
    resampled,
)

__all__ = [
    'RESAMPLES',
    'SEED',
    'Difference',
    'ImageValues',
    'Matches',
    'PartOfImages',
    'PerImage',
    'Resampled',
    'average_precision',
    'difference',
    'names_digest',
    'pack_hits',
    'resampled',
    'unpack_hits',
]
