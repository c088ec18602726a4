"""AP by a field of the images, such as their kind, beside that of all.

A config asks for it with ``ap_by = 'kind'``: the annotation file says
``kind`` of every image. Nothing is predicted or matched again.
"""

import reprlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

from mmengine.evaluator import Evaluator

from ...errors import SpecError
from ..data.image_fields import field_values
from .precise_coco_metric import PreciseCocoMetric


def report_ap_by(
    evaluator: Evaluator, config: Mapping[str, Any]
) -> dict[str, dict[str, int]]:
    """Tells the COCO metrics of a loop by what to report AP as well.

    Args:
        evaluator (Evaluator): Of a test or validation loop, after
            :func:`report_unrounded`; it is changed.
        config (Mapping): ``ap_by`` in it is a field of images or several.

    Returns:
        dict[str, dict[str, int]]: Images by field and value.

    Raises:
        SpecError: ``ap_by`` is no name, or no metric can do it.
        DataError: An image does not have the field; names it.
    """
    fields = config.get('ap_by') or ()
    fields = (fields,) if isinstance(fields, str) else fields
    if not isinstance(fields, tuple | list) or not all(
        isinstance(field, str) and field and '/' not in field
        for field in fields
    ):
        raise SpecError(
            "ap_by must name a field of images, such as 'kind', got "
            f'{reprlib.repr(fields)}'
        )
    metrics = [
        metric
        for metric in evaluator.metrics
        if isinstance(metric, PreciseCocoMetric)
    ]
    if fields and not metrics:
        raise SpecError('ap_by: the config has no CocoMetric to report AP')
    counts: dict[str, dict[str, int]] = {}
    for metric in metrics:
        api = metric._coco_api
        if fields and api is None:
            raise SpecError('ap_by: the CocoMetric has no ann_file')
        metric.by = {
            field: field_values(api.imgs.values(), field, 'ap_by')
            for field in fields
        }
        for field, values in metric.by.items():
            counts[field] = dict(Counter(values.values()).most_common())
    return counts
