"""The ``calib`` entry of hooks and wrappers."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import SpecError
from ...field_checks import checked_fields
from .calibration_set import CalibrationSet, build_dataset, choose_images
from .image_fields import dataset_field

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


def each_value(
    config: Mapping[str, Any] | None,
    where: Sequence[str] = (),
    field: str | None = None,
) -> list[dict[str, str]]:
    """What calibration images are restricted to, one draw after another.

    Args:
        config (Mapping, optional): The ``calib_dataset``.
        where (Sequence[str]): ``FIELD=VALUE``, for every draw.
        field (str, optional): Draw from all images first, then from those
            of each of its values.

    Returns:
        list[dict[str, str]]: As ``where`` of :func:`calibration_set`.

    Raises:
        SpecError: Not ``FIELD=VALUE``.
        DataError: An image does not have the field.
    """
    fixed: dict[str, str] = {}
    for item in where:
        key, sign, value = item.partition('=')
        if not (key and sign and value):
            raise SpecError(f'--calib-where: {item!r} is not FIELD=VALUE')
        fixed[key] = value
    if field is None:
        return [fixed]
    if config is None:
        raise SpecError('--calib-each: the config has no calib_dataset')
    values = dataset_field(build_dataset(config, 'calib_dataset'), field)
    return [
        fixed,
        *({**fixed, field: one} for one in sorted(set(values.values()))),
    ]
