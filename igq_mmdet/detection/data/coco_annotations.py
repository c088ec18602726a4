"""COCO annotation files, looked through before hours of evaluation.

pycocotools and mmdet take most damage without a word, or fail when all images
have been predicted.
"""

import json
import math
import os
import reprlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import DataError
from .coco_masks import segmentation_problem

LISTS = ('images', 'annotations', 'categories')
OF_LVIS = ('neg_category_ids', 'not_exhaustive_category_ids')
SIDE = 1 << 20  # pixels; more than any image that decodes


@dataclass(frozen=True)
class Listing:
    """What an annotation file says that other files may contradict.

    Args:
        images (dict[int, tuple[str, int, int]]): Name of the file without
            folders, height and width, by id.
        annotated (Counter[int]): How many annotations of the classes count
            in evaluation, by image; crowds do not.
    """

    images: dict[int, tuple[str, int, int]]
    annotated: Counter[int]


def check_coco_file(
    path: str,
    classes: Sequence[str] | None = None,
    masks: bool = True,
    form: str = 'coco',
    by_id: bool = False,
) -> Listing:
    """Refuses a COCO file that cannot be evaluated as it says.

    Args:
        path (str): JSON, as COCO's ``instances_val2017.json``.
        classes (Sequence[str], optional): Of the detector, in order of
            label.
        masks (bool): Whether masks are used. Defaults to True.
        form (str): ``coco``, ``lvis`` (no crowds, but addresses of images)
            or ``panoptic`` (segments of images). Defaults to ``coco``.
        by_id (bool): Labels count categories by id, not in the order of
            the file. Defaults to False.

    Returns:
        Listing: Its images and how far they are annotated.

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
        return _check(data, classes, masks, form, by_id)
    except _Wrong as error:
        raise DataError(f'{path}: {error}; fix the file') from error


class _Wrong(Exception):
    """What is wrong; without the file's name."""


def _check(
    data: Any,
    classes: Sequence[str] | None,
    masks: bool,
    form: str,
    by_id: bool,
) -> Listing:
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
    images = {}
    for where, image in _each(data['images'], 'images'):
        field = 'coco_url' if form == 'lvis' else 'file_name'
        name = image.get(field)
        if not isinstance(name, str) or not name or '\0' in name:
            raise _Wrong(f'{where}.{field} is {reprlib.repr(name)}')
        for side in ('height', 'width'):
            _expect(where, image, side, _is_side(image.get(side)))
        size = image['height'], image['width']
        images[image['id']] = (os.path.basename(name), *size)
        for field in OF_LVIS if form == 'lvis' else ():
            _expect(where, image, field, isinstance(image.get(field), list))
    names = {}
    for where, category in _each(data['categories'], 'categories'):
        name = category.get('name')
        _expect(where, category, 'name', isinstance(name, str))
        if form == 'lvis':
            often = category.get('frequency')
            _expect(where, category, 'frequency', often in ('r', 'c', 'f'))
        names[category['id']] = name
    if by_id:
        names = dict(sorted(names.items()))
    if classes is not None:
        _check_classes(list(names.values()), classes)
        if form == 'lvis' and len(names) != len(classes):
            raise _Wrong(
                f'lists {len(names)} categories, the config has '
                f'{len(classes)} classes; LVIS counts labels over all'
            )
    counted: Counter[int] = Counter()
    for where, entry in _annotations(data['annotations'], form):
        for field, known in (('image_id', images), ('category_id', names)):
            value = entry.get(field)
            _expect(where, entry, field, _is_id(value) and value in known)
        image_id = entry['image_id']
        if form != 'panoptic':
            _check_box(where, entry)
        if form != 'lvis':
            crowd = entry.get('iscrowd')
            _expect(where, entry, 'iscrowd', crowd in (0, 1))
        if masks and form != 'panoptic':
            size = images[image_id][1:]
            problem = segmentation_problem(entry.get('segmentation'), size)
            if problem:
                raise _Wrong(f'{where}.segmentation {problem}')
        if classes is None or names[entry['category_id']] in classes:
            ignored = entry.get('iscrowd') or entry.get('ignore')
            counted[image_id] += not ignored
    return Listing(images, +counted)


def _annotations(entries: Any, form: str) -> Any:
    """What has a class in an image, with where it is."""
    if form != 'panoptic':
        yield from _each(entries, 'annotations')
        return
    for index, entry in enumerate(entries):
        where = f'annotations[{index}]'
        segments = entry.get('segments_info')
        whole = isinstance(segments, list) and all(
            isinstance(segment, dict) for segment in segments
        )
        _expect(where, entry, 'segments_info', whole)
        for place, segment in _each(segments, f'{where}.segments_info'):
            yield place, {**segment, 'image_id': entry.get('image_id')}


def _check_box(where: str, entry: Any) -> None:
    box = entry.get('bbox')
    whole = isinstance(box, list) and len(box) == 4
    whole = whole and all(map(_is_number, box)) and min(box[2:]) >= 0
    _expect(where, entry, 'bbox', whole)
    area = entry.get('area')
    _expect(where, entry, 'area', _is_number(area) and area >= 0)


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


def _each(entries: Any, name: str) -> Any:
    """Entries of a list with where they are; ids are unique."""
    met = set()
    for index, entry in enumerate(entries):
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
