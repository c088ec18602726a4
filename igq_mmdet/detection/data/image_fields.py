"""What annotation files say of images beyond what mmdet reads, as a kind."""

import json
import reprlib
from collections.abc import Iterable, Mapping
from typing import Any

from ...errors import DataError
from .images_named import dataset_parts


def field_values(
    images: Iterable[Mapping[str, Any]], field: str, where: str
) -> dict[Any, str]:
    """One field of every image.

    Args:
        images (Iterable[Mapping]): Entries of ``images`` of a COCO file.
        field (str): Such as ``kind``.
        where (str): What lists them, for messages.

    Returns:
        dict[Any, str]: By image id.

    Raises:
        DataError: An image does not have the field, or not as a word or a
            whole number; names it.
    """
    found = {}
    for image in images:
        value = image.get(field)
        if not isinstance(value, str | int) or value == '':
            said = 'no' if field not in image else reprlib.repr(value) + ' as'
            raise DataError(
                f'{where}: image {image.get("id")!r} has {said} {field!r}; '
                f'images have {", ".join(sorted(map(str, image)))}'
            )
        found[image.get('id')] = str(value)
    return found


def dataset_field(dataset: Any, field: str) -> dict[Any, str]:
    """One field of every image of a dataset, from its annotation file.

    Args:
        dataset: An mmdet dataset that reads COCO files.
        field (str): Such as ``kind``.

    Returns:
        dict[Any, str]: By image id.

    Raises:
        DataError: See :func:`field_values`; or no COCO file lists the
            images.
    """
    found: dict[Any, str] = {}
    for part in dataset_parts(dataset):
        path = getattr(part, 'ann_file', None)
        if not path:
            continue
        try:
            with open(path, encoding='utf-8') as file:
                images = json.load(file)['images']
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f'{path}: not a COCO file, so its images have no {field!r} '
                'to choose by'
            ) from error
        found |= field_values(images, field, str(path))
    if not found:
        raise DataError(
            f'{type(dataset).__name__} has no annotation file, so its images '
            f'have no {field!r} to choose by'
        )
    return found
