"""Kept detections, drawn by mmdet's own visualizer."""

import base64
import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import mmcv
import numpy as np
import torch
from mmdet.datasets import CocoDataset
from mmdet.structures import DetDataSample
from mmdet.visualization import DetLocalVisualizer
from mmengine.structures import InstanceData
from pycocotools import mask as rle

from ...errors import DataError
from ...report.compare import Cohort, Drawn, Gallery, Shelf, rankings
from ...report.compare.agreement import SCORE

SIDE = 720  # the longer side of a drawing, in pixels
QUALITY = 80  # of its JPEG
MOST_LABELS = 100_000


def draw_detections(
    image: np.ndarray,
    found: Mapping[str, Any],
    classes: Sequence[str],
    side: int | None = SIDE,
    above: float = SCORE,
) -> np.ndarray:
    """Draws boxes, masks, labels and scores.

    Args:
        image (np.ndarray): RGB, (height, width, 3).
        found (Mapping): An entry of a prediction store.
        classes (Sequence[str]): Names by label; others get their number.
        side (int, optional): Longer side of the drawing at most, in pixels;
            None leaves the size alone. Defaults to 720.
        above (float): Lower scores are not drawn. Defaults to 0.3.

    Returns:
        np.ndarray: RGB.

    Raises:
        DataError: The entry does not fit the image.
    """
    height, width = image.shape[:2]
    longer = max(height, width)
    shrink = min(1.0, (side or longer) / longer)
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    scores = np.asarray(found['scores'], dtype=np.float32).reshape(-1)
    kept = np.flatnonzero(scores > above)
    labels = np.asarray(found['labels'], dtype=np.int64).reshape(-1)[kept]
    if len(labels) and not 0 <= labels.min() <= labels.max() < MOST_LABELS:
        raise DataError(f'label {labels.min()} to {labels.max()}')
    boxes = np.asarray(found['bboxes'], dtype=np.float32).reshape(-1, 4)
    instances = InstanceData(
        scores=torch.from_numpy(scores[kept]),
        labels=torch.from_numpy(labels),
        bboxes=torch.from_numpy(boxes[kept] * shrink),
    )
    # a dollar would start a formula
    instances.label_names = [
        (classes[x] if x < len(classes) else f'class {x}').replace('$', r'\$')
        for x in labels
    ]
    if found.get('masks') and len(kept):
        masks = [found['masks'][index] for index in kept]
        for mask in masks:
            if list(mask['size']) != [height, width]:
                raise DataError(f'mask of {mask["size"]} pixels')
        instances.masks = np.stack(
            [
                cv2.resize(rle.decode(mask), size, interpolation=0)
                for mask in masks
            ]
        ).astype(bool)
    visualizer = DetLocalVisualizer(line_width=2, alpha=0.6)
    palette = None
    if tuple(classes) == CocoDataset.METAINFO['classes']:
        palette = CocoDataset.METAINFO['palette']
    visualizer.dataset_meta = {'classes': tuple(classes), 'palette': palette}
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    state = np.random.get_state()
    np.random.seed(0)  # it shakes the colours of masks
    try:
        with warnings.catch_warnings():
            # of boxes that reach over the edge
            warnings.simplefilter('ignore')
            visualizer.add_datasample(
                '',
                small,
                DetDataSample(pred_instances=instances),
                draw_gt=False,
                pred_score_thr=above,
            )
    finally:
        np.random.set_state(state)
    return visualizer.get_image()


def gallery(
    cohort: Cohort,
    count: int,
    data_root: str | os.PathLike[str] | None = None,
    bar: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> Gallery:
    """Draws the worst images of every setting.

    Args:
        cohort (Cohort): With predictions beside its reports.
        count (int): Images of each setting.
        data_root (str | PathLike, optional): Where images lie that are not
            where they were.
        bar (Callable): Shows progress. Defaults to none.
    """
    ranked, reasons = rankings(cohort, count)
    notes = dict.fromkeys(reasons)
    drawings: dict[Any, str] = {}
    jobs = [(name, pair) for name in ranked for pair in ranked[name].worst]
    shown: dict[str, list[Drawn]] = {name: [] for name in ranked}
    for name, pair in bar(jobs):
        path = find_image(pair.path, data_root)
        if path is None:
            notes[
                f'{pair.path}: no such image; start where the evaluation '
                'was started, or say --data-root'
            ] = None
            continue
        try:
            image = mmcv.imread(str(path), channel_order='rgb')
            full = drawings.get(path)
            if full is None:
                drawn = draw_detections(image, pair.full, pair.classes)
                full = drawings[path] = data_uri(drawn)
            other = draw_detections(image, pair.quantized, pair.classes)
        except Exception as error:  # files of others: anything can be wrong
            said = ' '.join(f'{type(error).__name__}: {error}'.split())
            notes[f'{path}: cannot be drawn ({said})'] = None
            continue
        shown[name].append(
            Drawn(path.name, pair.agreement, full, data_uri(other))
        )
    shelves = {
        name: Shelf(ranked[name].images, ranked[name].mean, found)
        for name, found in shown.items()
    }
    return Gallery(shelves, list(notes))


def find_image(
    path: str, data_root: str | os.PathLike[str] | None = None
) -> Path | None:
    """Where an image lies now.

    Args:
        path (str): Where it lay when it was evaluated.
        data_root (str | PathLike, optional): Is tried with the path's end,
            longest first.
    """
    then = Path(path)
    tried = [then]
    if data_root is not None:
        parts = then.parts[1:] if then.is_absolute() else then.parts
        tried = [
            Path(data_root, *parts[start:]) for start in range(len(parts))
        ] + tried
    return next((x for x in tried if x.is_file()), None)


def data_uri(image: np.ndarray) -> str:
    """An RGB image as JPEG in an address.

    Args:
        image (np.ndarray): (height, width, 3), uint8.
    """
    _, code = cv2.imencode(
        '.jpg', image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY]
    )
    text = base64.b64encode(code.tobytes()).decode()
    return f'data:image/jpeg;base64,{text}'
