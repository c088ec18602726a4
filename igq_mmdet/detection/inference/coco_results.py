"""Detections as the JSON that COCO's tools take."""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.evaluation import CocoMetric

from ...errors import DataError
from ...files.atomic import replacing
from ..data.coco_annotations import check_coco_file

# COCO numbers its 80 classes from 1 to 90.
UNUSED = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
COCO_IDS = [number for number in range(1, 91) if number not in UNUSED]


@dataclass(frozen=True)
class CocoIds:
    """The numbers that stand for images and classes.

    Args:
        images (Mapping[str, int]): By name of the file.
        categories (Sequence[int]): By label.
    """

    images: Mapping[str, int]
    categories: Sequence[int]


def coco_ids(
    names: Sequence[str],
    classes: Sequence[str],
    annotations: str | None = None,
) -> CocoIds:
    """Numbers of an annotation file, of COCO, or counted from 1.

    Args:
        names (Sequence[str]): Of the images, without folders.
        classes (Sequence[str]): Of the detector, by label.
        annotations (str, optional): A COCO file that lists the images.
            Without it images get the number that is their name, as in
            COCO, if all of them have one; classes get COCO's numbers if
            they are COCO's.

    Raises:
        DataError: The file cannot be used, or lacks an image.
    """
    if annotations is not None:
        check_coco_file(annotations, classes, masks=False)
        with open(annotations, encoding='utf-8') as file:
            listed = json.load(file)
        images = {Path(x['file_name']).name: x['id'] for x in listed['images']}
        missing = [name for name in names if name not in images]
        if missing:
            raise DataError(
                f'{annotations}: does not list {missing[0]}; leave the image '
                'or the annotations out'
            )
        used = [x['id'] for x in listed['categories'] if x['name'] in classes]
        return CocoIds({name: images[name] for name in names}, used)
    stems = [Path(name).stem for name in names]
    numbers = [int(x) for x in stems if x.isdecimal() and x.isascii()]
    if len(set(numbers)) != len(names):
        numbers = list(range(1, len(names) + 1))
    categories = list(range(1, len(classes) + 1))
    if tuple(classes) == CocoDataset.METAINFO['classes']:
        categories = COCO_IDS
    return CocoIds(dict(zip(names, numbers, strict=True)), categories)


def write_results(
    folder: Path,
    name: str,
    entries: Mapping[str, Mapping[str, Any]],
    ids: CocoIds,
) -> list[Path]:
    """Writes ``NAME.bbox.json``, with masks ``NAME.segm.json`` too.

    Args:
        folder (Path): Must be there.
        name (str): Of the detector.
        entries (Mapping[str, Mapping]): Of a prediction store, by name of
            the image.
        ids (CocoIds): What to call images and classes.

    Returns:
        list[Path]: The files.
    """
    metric = CocoMetric()
    metric.cat_ids = ids.categories
    results = [
        {
            'img_id': ids.images[image],
            'labels': entry['labels'],
            'scores': entry['scores'],
            'bboxes': np.asarray(entry['bboxes']).reshape(-1, 4),
            **({'masks': entry['masks']} if 'masks' in entry else {}),
        }
        for image, entry in entries.items()
    ]
    written = []
    # mmdet's writer can be interrupted half-way
    with TemporaryDirectory(dir=folder, prefix='.results.') as temporary:
        prefix = os.path.join(temporary, name)
        made = set(metric.results2json(results, prefix).values())
        for path in sorted(made):
            target = folder / Path(path).name
            with replacing(target) as new:
                shutil.copyfile(path, new)
            written.append(target)
    return written


def write_images(
    path: Path,
    entries: Mapping[str, Mapping[str, Any]],
    ids: CocoIds,
    classes: Sequence[str],
) -> None:
    """Writes what the numbers stand for, as a COCO file without annotations.

    Args:
        path (Path): The file to make.
        entries (Mapping[str, Mapping]): See :func:`write_results`.
        ids (CocoIds): What images and classes are called.
        classes (Sequence[str]): Names by label.
    """
    images = [
        {
            'id': ids.images[image],
            'file_name': image,
            'height': entry['ori_shape'][0],
            'width': entry['ori_shape'][1],
        }
        for image, entry in entries.items()
    ]
    categories = [
        {'id': number, 'name': name}
        for number, name in zip(ids.categories, classes, strict=True)
    ]
    content = {'images': images, 'categories': categories, 'annotations': []}
    with replacing(path) as new:
        new.write_text(json.dumps(content))
