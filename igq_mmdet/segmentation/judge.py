"""What one map is worth beside its mask."""

import warnings
from typing import Any

import numpy as np

from ..errors import MissingDependencyError

BETA2 = 0.3  # of F, as the field has it
ALPHA = 0.5  # of S
BINS = 1 << 16  # of AUC


def judge(values: np.ndarray, mask: np.ndarray) -> dict[str, Any]:
    """All figures of one image, by pysodmetrics.

    Args:
        values (np.ndarray): The map, float64 (H, W), 0 to 1.
        mask (np.ndarray): bool (H, W).

    Returns:
        dict: ``Smeasure``, ``MAE``, ``wFmeasure``, ``adpFmeasure``,
        ``adpEmeasure`` and ``AUC`` (NaN where the mask is empty or full),
        and ``Fmeasure`` and ``Emeasure`` at 256 thresholds, (256,).

    Raises:
        MissingDependencyError: pysodmetrics is not installed.
    """
    sod = _package()
    with warnings.catch_warnings():
        # that Fmeasure is going to give way to a class of other names
        warnings.simplefilter('ignore')
        f = sod.Fmeasure(BETA2)
    judges = {
        'S': sod.Smeasure(ALPHA),
        'MAE': sod.MAE(),
        'wF': sod.WeightedFmeasure(),
        'F': f,
        'E': sod.Emeasure(),
    }
    s: Any = judges['S']
    s.ssim = _without_empty_parts(s.ssim)
    for one in judges.values():
        one.step(values, mask, normalize=False)
    found = {key: one.get_results() for key, one in judges.items()}
    return {
        'Smeasure': float(found['S']['sm']),
        'MAE': float(found['MAE']['mae']),
        'wFmeasure': float(found['wF']['wfm']),
        'adpFmeasure': float(found['F']['fm']['adp']),
        'adpEmeasure': float(found['E']['em']['adp']),
        'AUC': area_under_curve(values, mask),
        'Fmeasure': found['F']['fm']['curve'],
        'Emeasure': found['E']['em']['curve'],
    }


def area_under_curve(values: np.ndarray, mask: np.ndarray) -> float:
    """How often a pixel of the object is above one that is not.

    Args:
        values (np.ndarray): The map, (H, W), 0 to 1; values in one of 65536
            bins count as equal, and half.
        mask (np.ndarray): bool (H, W).

    Returns:
        float: 0 to 1; NaN where the mask is empty or full.
    """
    codes = np.round(values * (BINS - 1)).astype(np.int64)
    inside = np.bincount(codes[mask], minlength=BINS)
    outside = np.bincount(codes[~mask], minlength=BINS)
    pairs = int(inside.sum()) * int(outside.sum())
    if not pairs:
        return float('nan')
    below = np.cumsum(outside) - outside
    return float((inside * (below + outside / 2)).sum() / pairs)


def _without_empty_parts(ssim: Any) -> Any:
    """S-measure cuts at the object's centre; at an edge a part is empty.

    Its weight is 0, and pysodmetrics has NaN for it.
    """

    def method(values: np.ndarray, mask: np.ndarray) -> float:
        return ssim(values, mask) if values.size else 0.0

    return method


def _package() -> Any:
    try:
        import py_sod_metrics
    except ImportError as error:
        raise MissingDependencyError(
            f'pysodmetrics is not usable ({error}); pip install '
            "'igq_mmdet[segmentation]'"
        ) from error
    return py_sod_metrics
