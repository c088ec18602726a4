"""Folders of images and masks, as sets of camouflaged objects have them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import DataError

# Folders of images and of their masks; the case of names does not matter.
KNOWN = (
    ('Imgs', 'GT'),
    ('Image', 'GT'),
    ('Image', 'Mask'),
    ('images', 'ground_truth_mask'),
    ('DUTS-TE-Image', 'DUTS-TE-Mask'),
    ('DUTS-TR-Image', 'DUTS-TR-Mask'),
)
SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp', '.webp', '.tif', '.tiff')


@dataclass(frozen=True)
class Pair:
    """An image and its mask.

    Args:
        name (str): Of the image, without suffix.
        image (str): Path.
        mask (str, optional): Path.
    """

    name: str
    image: str
    mask: str | None


def list_pairs(
    folder: str,
    folders: Sequence[str] | None = None,
    mask_suffix: str = '',
    with_masks: bool = True,
) -> list[Pair]:
    """Images of a set with their masks, in order of name.

    Args:
        folder (str): Holds ``Imgs/x.jpg`` beside ``GT/x.png``; further
            folders such as ``Edge`` are not looked at.
        folders (Sequence[str], optional): Names of the two; by default
            one of ``KNOWN``.
        mask_suffix (str): What a mask is called more than its image, such
            as ``_mask``. Defaults to nothing.
        with_masks (bool): Whether masks are wanted. Defaults to True.

    Raises:
        DataError: A folder is missing or empty, or an image has no mask, a
            mask no image, or either is there twice; names it.
    """
    if not os.path.isdir(folder):
        raise DataError(f'{folder}: no such folder; fix data_root or sets')
    for_images, for_masks = _folders(folder, folders, with_masks)
    images = _by_stem(for_images)
    if not images:
        raise DataError(f'{for_images}: holds no images')
    if not with_masks:
        return [Pair(name, images[name], None) for name in sorted(images)]
    masks = _by_stem(for_masks, mask_suffix)
    lonely = sorted(set(images) - set(masks))
    if lonely:
        raise DataError(
            f'{images[lonely[0]]}: has no mask in {for_masks}'
            f'{_more(lonely)}; add it or remove the image'
        )
    lonely = sorted(set(masks) - set(images))
    if lonely:
        raise DataError(
            f'{masks[lonely[0]]}: has no image in {for_images}'
            f'{_more(lonely)}; add it or remove the mask'
        )
    return [Pair(name, images[name], masks[name]) for name in sorted(images)]


def _more(names: Sequence[str]) -> str:
    return f' (nor have {len(names) - 1} more)' if len(names) > 1 else ''


def _folders(
    folder: str, folders: Sequence[str] | None, with_masks: bool
) -> tuple[str, str]:
    there = {x.name.lower(): str(x) for x in Path(folder).iterdir()}
    known = KNOWN if folders is None else [tuple(folders)]
    for one, other in known:
        image, mask = there.get(one.lower()), there.get(other.lower())
        if image and (mask or not with_masks):
            return image, mask or ''
    wanted = ' and '.join(known[0])
    raise DataError(
        f'{folder}: has no folders {wanted}; name its own with '
        "folders=('IMAGES', 'MASKS'), or folders in it that have them with "
        'sets'
    )


def _by_stem(folder: str, suffix: str = '') -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(Path(folder).iterdir()):
        hidden = path.name.startswith('.')
        if hidden or path.suffix.lower() not in SUFFIXES:
            continue
        if suffix and not path.stem.endswith(suffix):
            continue
        stem = path.stem.removesuffix(suffix)
        if stem in found:
            raise DataError(
                f'{path}: is there twice, also as '
                f'{os.path.basename(found[stem])}; remove one'
            )
        found[stem] = str(path)
    return found
