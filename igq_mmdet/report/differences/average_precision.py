"""COCO's AP of images that may be there several times, or not at all.

COCOeval matches detections with annotations image by image, which takes nearly
all its time, and then accumulates. This is the second step, for many
choices of images at once.
"""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .matches import Matches

FALSE, TRUE, IGNORED = range(3)
EPSILON = np.spacing(1)  # COCOeval's
BLOCK = 1 << 18  # draws times detections at a time, to stay in caches


def average_precision(
    matches: 'Matches',
    weights: np.ndarray,
    iou: float | None = None,
    area: str = 'all',
    max_dets: int = 100,
) -> np.ndarray:
    """What COCOeval would say of these images.

    An image of weight 2 counts like two images with the same content, one of
    weight 0 is not there: weights of 0 and 1 give the AP of a part of the
    images.

    Args:
        matches (Matches): Of a run.
        weights (np.ndarray): Whole numbers from 0, (images,) or
            (draws, images).
        iou (float, optional): One threshold; None is the mean over all.
        area (str): Name of a range. Defaults to ``all``.
        max_dets (int): Detections of a class and image that count. Defaults
            to 100.

    Returns:
        np.ndarray: As a fraction, () or (draws,); NaN, COCOeval's -1, where
        nothing is annotated or the run was not judged like this.
    """
    rows = np.atleast_2d(weights)
    total, classes = np.zeros(len(rows)), np.zeros(len(rows))
    judged = area in matches.areas and max_dets in matches.max_dets
    places = [matches.areas.index(area)] if judged else []
    at = np.full(len(matches.ious), True)
    if iou is not None:
        at = np.isclose(matches.ious, iou)
    for place in places if at.any() else ():
        for k, truths in enumerate(matches.truths[:, place]):
            annotated = rows @ truths.astype(np.int64)
            there = annotated > 0
            own = slice(matches.starts[k], matches.starts[k + 1])
            kept = matches.rank[own] < max_dets
            total[there] += _mean_precision(
                matches.found[place, at, own][:, kept],
                matches.image[own][kept],
                rows[there],
                annotated[there],
                matches.recalls,
            )
            classes += there
    with np.errstate(invalid='ignore'):
        found = total / classes
    return found.reshape(np.shape(weights)[:-1])


def _mean_precision(
    found: np.ndarray,
    image: np.ndarray,
    rows: np.ndarray,
    annotated: np.ndarray,
    recalls: np.ndarray,
) -> np.ndarray:
    """One class: mean over thresholds and recalls, (draws,).

    Args:
        found (np.ndarray): Of its detections in order, (T, D).
        image (np.ndarray): Their images, (D,).
        rows (np.ndarray): Weights of images, (draws, images).
        annotated (np.ndarray): Objects to find, above 0, (draws,).
        recalls (np.ndarray): At which precision is read, (R,).
    """
    total = np.zeros(len(rows))
    step = max(1, BLOCK // max(1, len(image)))
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        own = rows[part][:, image].astype(np.int32)
        before = own.cumsum(axis=1, dtype=np.int32)  # the same for all of T
        for row in found:
            total[part] += _precision(
                row, own, before, annotated[part, None], recalls
            )
    return total / (len(found) * len(recalls))


def _precision(
    found: np.ndarray,
    weights: np.ndarray,
    before: np.ndarray,
    annotated: np.ndarray,
    recalls: np.ndarray,
) -> np.ndarray:
    """Sum of precisions at all recalls, one class and threshold, (draws,).

    Recall moves, and precision has its peaks, at right detections only. One
    in an image that is not there has no higher precision than the one
    before it: it changes nothing.
    """
    right = found == TRUE
    if not right.any():
        return np.zeros(len(weights))
    true = weights[:, right].cumsum(axis=1, dtype=np.int32)
    counted = before[:, right]
    if IGNORED in found:
        ignored = weights * (found == IGNORED)
        counted -= ignored.cumsum(axis=1, dtype=np.int32)[:, right]
    precision = true / (counted + EPSILON)
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    # how many recalls are read here: those reached now and not before
    reached = np.searchsorted(recalls, true / annotated, 'right')
    read = np.diff(reached, axis=1, prepend=0)
    return np.einsum('ij,ij->i', envelope, read)
