"""COCO masks: polygons and run lengths that fit their image."""

import math
import reprlib
from typing import Any


def segmentation_problem(value: Any, size: tuple[int, int]) -> str | None:
    """What is wrong with a mask, in words that follow its name.

    Args:
        value (list | dict): Polygons, or run lengths (RLE).
        size (tuple[int, int]): Height and width of the image.
    """
    if isinstance(value, dict):
        return _run_length_problem(value, size)
    if not isinstance(value, list) or not value:
        return f'is {reprlib.repr(value)}, neither polygons nor RLE'
    for polygon in value:
        # four numbers are taken for a box by pycocotools
        if not isinstance(polygon, list) or len(polygon) < 6:
            return f'has {reprlib.repr(polygon)}, no polygon of three points'
        if len(polygon) % 2 or not all(map(_is_coordinate, polygon)):
            return f'has {reprlib.repr(polygon)}, not x and y of points'
    return None


def _run_length_problem(value: Any, size: tuple[int, int]) -> str | None:
    if value.get('size') != list(size):
        return (
            f'has size {reprlib.repr(value.get("size"))}, the image '
            f'{list(size)}'
        )
    counts = value.get('counts')
    if isinstance(counts, str):
        counts = _counts(counts)
    if not isinstance(counts, list) or not all(
        type(count) is int and count >= 0 for count in counts
    ):
        return f'has counts {reprlib.repr(value.get("counts"))}'
    if sum(counts) != size[0] * size[1]:
        return (
            f'has counts of {sum(counts)} pixels, the image has '
            f'{size[0] * size[1]}'
        )
    return None


def _counts(text: str) -> list[int] | None:
    """Run lengths of a compressed RLE; None if it is not one.

    As ``rleFrString`` of pycocotools, which reads beyond the end of a text
    that stops within a number.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            return None
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        # from the third on, differences to the count before the last
        counts.append(value + counts[-2] if len(counts) > 2 else value)
        value = shift = 0
    return None if shift else counts


def _is_coordinate(value: Any) -> bool:
    if type(value) not in (int, float):
        return False
    return abs(value) < 1e6 and math.isfinite(value)
