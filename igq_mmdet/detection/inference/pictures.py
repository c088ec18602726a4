"""Drawings of several detectors, side by side."""

from collections.abc import Mapping

import cv2
import numpy as np

STRIP = 24  # above each drawing, in pixels, for its title
GAP = 8
WHITE = 255


def side_by_side(drawings: Mapping[str, np.ndarray]) -> np.ndarray:
    """One picture; a single drawing stays as it is.

    Args:
        drawings (Mapping[str, np.ndarray]): By title, RGB, all of one size.
    """
    if len(drawings) == 1:
        (drawing,) = drawings.values()
        return drawing
    columns: list[np.ndarray] = []
    for title, drawing in drawings.items():
        height, width = drawing.shape[:2]
        strip = np.full((STRIP, width, 3), WHITE, np.uint8)
        font = cv2.FONT_HERSHEY_SIMPLEX
        cv2.putText(
            strip, title, (2, STRIP - 8), font, 0.5, (0, 0, 0), 1, cv2.LINE_AA
        )
        gap = np.full((STRIP + height, GAP, 3), WHITE, np.uint8)
        columns += [np.concatenate([strip, drawing]), gap]
    return np.concatenate(columns[:-1], axis=1)
