"""The ``calib`` entry of hooks and wrappers."""

from collections.abc import Mapping
from typing import Any

from ..errors import SpecError
from ..spec import did_you_mean
from .calibration_set import CalibrationSet, build_dataset, choose_images

FIELDS = ('dataset', 'num_images', 'seed', 'allow_evaluation', 'parallel')


def calibration_set(
    calib: Mapping[str, Any] | None,
    default_dataset: Mapping[str, Any] | None = None,
    evaluation: Any = None,
) -> CalibrationSet:
    """Builds the calibration set that a config describes.

    Args:
        calib (Mapping, optional): ``dataset`` (an mmdet dataset config),
            ``num_images``, ``seed``, ``allow_evaluation`` and
            ``parallel``, see :func:`calibrates_in_parallel`.
        default_dataset (Mapping, optional): The config's own
            ``calib_dataset``, where ``calib`` names none.
        evaluation: The dataset AP is measured on.

    Returns:
        CalibrationSet: The seeded choice.

    Raises:
        SpecError: An unknown field, or no dataset at all.
    """
    fields = dict(calib or {})
    for name in fields:
        if name not in FIELDS:
            raise SpecError(
                f'unknown field of calib {name!r}{did_you_mean(name, FIELDS)}'
            )
    fields.pop('parallel', None)
    config = fields.pop('dataset', None) or default_dataset
    if config is None:
        raise SpecError(
            'no calibration images; add calib_dataset=dict(type=..., '
            'test_mode=True) to the config, or calib=dict(dataset=...)'
        )
    dataset = build_dataset(config, 'calib_dataset')
    return choose_images(dataset, evaluation=evaluation, **fields)


def calibrates_in_parallel(calib: Mapping[str, Any] | None) -> bool:
    """Whether several processes share the images among them.

    Args:
        calib (Mapping, optional): See :func:`calibration_set`; ``parallel``
            is False by default.

    Raises:
        SpecError: ``parallel`` is neither True nor False.
    """
    parallel = (calib or {}).get('parallel', False)
    if not isinstance(parallel, bool):
        raise SpecError(
            f'calib: parallel must be True or False, got {parallel!r}'
        )
    return parallel
