"""The ``calib`` entry of hooks and wrappers."""

import reprlib
from collections.abc import Mapping
from typing import Any

from ...errors import SpecError
from ...field_checks import checked_fields
from .calibration_set import CalibrationSet, build_dataset, choose_images

FIELDS = (
    *('dataset', 'num_images', 'seed', 'allow_evaluation', 'where'),
    'parallel',
)


def calibration_set(
    calib: Mapping[str, Any] | None,
    default_dataset: Mapping[str, Any] | None = None,
    evaluation: Any = None,
) -> CalibrationSet:
    """Builds the calibration set that a config describes.

    Args:
        calib (Mapping, optional): ``dataset`` (an mmdet dataset config),
            ``num_images``, ``seed``, ``allow_evaluation``, ``where``, see
            :func:`choose_images`, and ``parallel``, see
            :func:`calibrates_in_parallel`.
        default_dataset (Mapping, optional): The config's own
            ``calib_dataset``, where ``calib`` names none.
        evaluation: The dataset AP is measured on.

    Returns:
        CalibrationSet: The seeded choice.

    Raises:
        SpecError: An unknown field, a value of another type, or no
            dataset at all.
    """
    fields = checked_fields('calib', calib, FIELDS)
    fields.pop('parallel', None)
    config = fields.pop('dataset', None)
    if config is None:
        config = default_dataset
    if config is None:
        raise SpecError(
            'no calibration images; add calib_dataset=dict(type=..., '
            'test_mode=True) to the config, or calib=dict(dataset=...)'
        )
    if not isinstance(config, Mapping):
        raise SpecError(
            'the calibration dataset must be a config such as '
            f'dict(type=...), got {reprlib.repr(config)}'
        )
    where = fields.get('where')
    if where is not None and not isinstance(where, Mapping):
        raise SpecError(
            "calib: where must be fields of images such as dict(kind='x'), "
            f'got {reprlib.repr(where)}'
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
