"""COCO annotation files, looked through before hours of evaluation.

pycocotools and mmdet take most damage without a word, or fail when all images
have been predicted.
"""

import json
import math
import reprlib
from collections.abc import Sequence
from typing import Any

from ...errors import DataError
from .coco_masks import segmentation_problem

LISTS = ('images', 'annotations', 'categories')
SIDE = 1 << 20  # pixels; more than any image that decodes


def check_coco_file(
    path: str, classes: Sequence[str] | None = None, masks: bool = True
) -> dict[int, tuple[int, int]]:
    """Refuses a COCO file that cannot be evaluated as it says.

    Args:
        path (str): JSON, as COCO's ``instances_val2017.json``.
        classes (Sequence[str], optional): Of the detector, in order of
            label.
        masks (bool): Whether masks are used. Defaults to True.

    Returns:
        dict[int, tuple[int, int]]: Height and width by image id.

    Raises:
        DataError: Names file, entry, field and value.
    """
    try:
        with open(path, encoding='utf-8') as file:
            data = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(
            f'{path}: not a COCO file ({error}); download or export it again'
        ) from error
    try:
        return _check(data, classes, masks)
    except _Wrong as error:
        raise DataError(f'{path}: {error}; fix the file') from error


class _Wrong(Exception):
    """What is wrong; without the file's name."""


def _check(
    data: Any, classes: Sequence[str] | None, masks: bool
) -> dict[int, tuple[int, int]]:
    if not isinstance(data, dict):
        raise _Wrong(f'holds a {type(data).__name__}, not an object')
    for name in LISTS:
        if not isinstance(data.get(name), list):
            raise _Wrong(f'has no list {name!r}')
        for index, entry in enumerate(data[name]):
            if not isinstance(entry, dict):
                raise _Wrong(f'{name}[{index}] is {reprlib.repr(entry)}')
    if not data['images']:
        raise _Wrong('lists no images')
    sizes = {}
    for where, image in _each(data, 'images'):
        name = image.get('file_name')
        if not isinstance(name, str) or not name or '\0' in name:
            raise _Wrong(f'{where}.file_name is {reprlib.repr(name)}')
        for side in ('height', 'width'):
            _expect(where, image, side, _is_side(image.get(side)))
        sizes[image['id']] = image['height'], image['width']
    names = {}
    for where, category in _each(data, 'categories'):
        name = category.get('name')
        _expect(where, category, 'name', isinstance(name, str))
        names[category['id']] = name
    if classes is not None:
        _check_classes(list(names.values()), classes)
    for where, entry in _each(data, 'annotations'):
        for field, known in (('image_id', sizes), ('category_id', names)):
            value = entry.get(field)
            _expect(where, entry, field, _is_id(value) and value in known)
        _check_annotation(where, entry, sizes[entry['image_id']], masks)
    return sizes


def _check_annotation(
    where: str, entry: Any, size: tuple[int, int], masks: bool
) -> None:
    box = entry.get('bbox')
    whole = isinstance(box, list) and len(box) == 4
    whole = whole and all(map(_is_number, box)) and min(box[2:]) >= 0
    _expect(where, entry, 'bbox', whole)
    area = entry.get('area')
    _expect(where, entry, 'area', _is_number(area) and area >= 0)
    _expect(where, entry, 'iscrowd', entry.get('iscrowd') in (0, 1))
    problem = masks and segmentation_problem(entry.get('segmentation'), size)
    if problem:
        raise _Wrong(f'{where}.segmentation {problem}')


def _check_classes(names: list[str], classes: Sequence[str]) -> None:
    """Labels are counted in the order in which the file lists categories."""
    missing = [name for name in classes if name not in names]
    if missing:
        raise _Wrong(
            f'has no category {missing[0]!r}, which is a class of the config'
        )
    used = [name for name in names if name in classes]
    for name, expected in zip(used, classes, strict=False):
        if name != expected:
            raise _Wrong(
                f'lists category {reprlib.repr(name)} where the config has '
                f'class {expected!r}; the order must be the same'
            )
    if len(used) != len(classes):
        raise _Wrong('lists a category twice')


def _each(data: Any, name: str) -> Any:
    """Entries of a list with where they are; ids are unique."""
    met = set()
    for index, entry in enumerate(data[name]):
        where = f'{name}[{index}]'
        number = entry.get('id')
        _expect(where, entry, 'id', _is_id(number))
        if number in met:
            raise _Wrong(f'{where}.id is {number!r} as in another entry')
        met.add(number)
        yield where, entry


def _expect(where: str, entry: Any, field: str, right: bool) -> None:
    if right:
        return
    value = reprlib.repr(entry[field]) if field in entry else 'missing'
    raise _Wrong(f'{where}.{field} is {value}')


def _is_id(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_side(value: Any) -> bool:
    return type(value) is int and 0 < value < SIDE


def _is_number(value: Any) -> bool:
    if type(value) not in (int, float):
        return False
    return abs(value) < 1e12 and math.isfinite(value)
