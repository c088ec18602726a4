"""Masks as the field's folders have them, read as yes or no a pixel."""

import numpy as np
from PIL import Image

from ..detection.data.images_named import naming

HALF = 128 / 255  # above it is object, as pysodmetrics and MATLAB have it


def read_mask(path: str) -> np.ndarray:
    """One mask of a file.

    Masks of 0 and 255, 0 and 1, grey ones, 16 bits, colours, palettes (of
    colours: index 0 is background) and alpha (transparent is background;
    where the colour says nothing, alpha is the mask) are understood.

    Args:
        path (str): Of an image that PIL reads.

    Returns:
        np.ndarray: bool, (H, W).

    Raises:
        DataError: It is missing or does not decode; names it.
    """
    with naming(path, 'mask'), Image.open(path) as image:
        image.load()
        return _as_bool(image)


def _as_bool(image: Image.Image) -> np.ndarray:
    alpha = None
    if 'A' in image.getbands() or 'transparency' in image.info:
        rgba = np.asarray(image.convert('RGBA'))
        alpha = rgba[..., 3] > 255 * HALF
        if alpha.all():
            alpha = None
        elif (rgba[..., :3] == rgba[0, 0, :3]).all():
            return alpha
    if image.mode in ('P', 'PA'):
        found = _of_palette(image)
    elif image.mode in ('1', 'L', 'F') or image.mode.startswith('I'):
        found = _of_grey(np.asarray(image))
    else:
        found = _of_grey(np.asarray(image.convert('L')))
    return found if alpha is None else found & alpha


def _of_palette(image: Image.Image) -> np.ndarray:
    colours = np.asarray(image.getpalette('RGB')).reshape(-1, 3)
    if (colours == colours[:, :1]).all():
        return _of_grey(np.asarray(image.convert('L')))
    return np.asarray(image.getchannel('P')) > 0


def _of_grey(values: np.ndarray) -> np.ndarray:
    if values.max() <= 1:
        return values > HALF
    return values > HALF * (255 if values.max() <= 255 else 65535)
