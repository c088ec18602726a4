"""How far the detections of two models of one image disagree."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

IOU, SCORE = 0.5, 0.3


@dataclass(frozen=True)
class Agreement:
    """Detections of one image in common.

    Args:
        full (int): Detections of the float model.
        quantized (int): Detections of the quantized model.
        matched (int): Pairs.
    """

    full: int
    quantized: int
    matched: int

    @property
    def disagreement(self) -> float:
        """``1 - F1``: 0 where all are matched, 1 where none is."""
        both = self.full + self.quantized
        return 1 - 2 * self.matched / both if both else 0.0


def agreement(
    full: Mapping[str, Any],
    quantized: Mapping[str, Any],
    iou: float = IOU,
    score: float = SCORE,
) -> Agreement:
    """Matches detections as COCO does, float ones standing for the truth.

    Quantized detections choose in the order of their scores; each takes
    the free float detection of its label with the largest IoU, if that is
    at least ``iou``. Only detections scored above ``score`` count.

    Args:
        full (Mapping): ``scores`` (N), ``labels`` (N) and ``bboxes``
            (N, 4) as x1, y1, x2, y2 in pixels, of the float model.
        quantized (Mapping): Likewise, of the quantized model.
        iou (float): Least IoU of a pair. Defaults to 0.5.
        score (float): Detections below do not count. Defaults to 0.3.
    """
    labels, boxes, _ = _kept(full, score)
    own_labels, own_boxes, scores = _kept(quantized, score)
    overlap = box_iou(own_boxes, boxes)
    overlap[own_labels[:, None] != labels[None, :]] = -1
    matched = 0
    for row in np.argsort(-scores, kind='stable'):
        if not len(labels):
            break
        best = int(overlap[row].argmax())
        if overlap[row, best] >= iou:
            overlap[:, best] = -1  # taken
            matched += 1
    return Agreement(len(labels), len(own_labels), matched)


def box_iou(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Intersection over union, (N, 4) and (M, 4) to (N, M)."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    common = np.clip(high - low, 0, None).prod(-1)
    areas = [
        np.clip(boxes[:, 2:] - boxes[:, :2], 0, None).prod(-1)
        for boxes in (one, other)
    ]
    union = areas[0][:, None] + areas[1][None, :] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def _kept(
    detections: Mapping[str, Any], score: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    scores = np.asarray(detections['scores'], dtype=np.float64).reshape(-1)
    labels = np.asarray(detections['labels'], dtype=np.int64).reshape(-1)
    boxes = np.asarray(detections['bboxes'], dtype=np.float64).reshape(-1, 4)
    kept = scores > score
    return labels[kept], boxes[kept], scores[kept]
