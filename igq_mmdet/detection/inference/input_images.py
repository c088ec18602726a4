"""The images that a command line names."""

from collections.abc import Sequence
from pathlib import Path

from mmdet.apis.det_inferencer import IMG_EXTENSIONS

from ...errors import DataError


def find_images(names: Sequence[str]) -> list[Path]:
    """Files as they are named, and the images of folders by name.

    Args:
        names (Sequence[str]): Files and folders; what lies deeper in a
            folder is not looked at.

    Returns:
        list[Path]: Each once.

    Raises:
        DataError: Something is not there, a folder has no images, or two
            images have the same name, which results could not tell apart.
    """
    found: dict[Path, None] = {}
    for name in names:
        path = Path(name)
        if path.is_dir():
            inside = sorted(
                item
                for item in path.iterdir()
                if item.suffix.lower() in IMG_EXTENSIONS
            )
            if not inside:
                raise DataError(
                    f'{name}: no images in this folder; known are '
                    + ', '.join(IMG_EXTENSIONS)
                )
            found |= dict.fromkeys(inside)
        elif path.exists():
            found[path] = None
        else:
            raise DataError(f'{name}: no such image or folder')
    by_name: dict[str, Path] = {}
    for path in found:
        other = by_name.setdefault(path.name, path)
        if other != path:
            raise DataError(
                f'{other} and {path} have the same name; results of both '
                'need a folder each'
            )
    return list(found)
