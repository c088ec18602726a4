"""Checks of what AP is measured on, before anything is computed."""

import os
from collections.abc import Mapping
from typing import Any

from ...errors import DataError, SpecError
from ..data.calibration_set import build_dataset, image_path
from ..data.coco_annotations import check_coco_file

WHAT = 'test_dataloader'


def evaluation_set(config: Mapping[str, Any]) -> Any:
    """Builds the evaluation dataset; every image must be there.

    Args:
        config (Mapping): A test config.

    Returns:
        Dataset: The evaluation dataset.

    Raises:
        SpecError: The config evaluates nothing.
        DataError: Annotations or images are missing; names the files.
    """
    for field in (WHAT, 'test_evaluator', 'test_cfg'):
        if config.get(field) is None:
            raise SpecError(f'the config has no {field}')
    evaluators = config['test_evaluator']
    if isinstance(evaluators, Mapping):
        evaluators = [evaluators]
    for evaluator in evaluators:
        name = evaluator.get('ann_file')
        if name and '://' not in name and not os.path.isfile(name):
            raise DataError(
                f'test_evaluator: {name} is not there; fix ann_file'
            )
    dataset = build_dataset(config[WHAT]['dataset'], WHAT)
    for evaluator in evaluators:
        if evaluator.get('type') == 'CocoMetric':
            _check_coco(evaluator, dataset)
    paths = [image_path(dataset, index) for index in range(len(dataset))]
    missing = [p for p in paths if '://' not in p and not os.path.isfile(p)]
    if missing:
        annotations = getattr(dataset, 'ann_file', 'the dataset')
        raise DataError(
            f'{WHAT}: {annotations} lists {len(missing)} of {len(paths)} '
            f'images that are not there, first {missing[0]}'
        )
    return dataset


def _check_coco(evaluator: Mapping[str, Any], dataset: Any) -> None:
    name = evaluator.get('ann_file')
    if not name or '://' in name or evaluator.get('format_only'):
        return
    metric = evaluator.get('metric', 'bbox')
    metrics = [metric] if isinstance(metric, str) else metric
    classes = (getattr(dataset, 'metainfo', None) or {}).get('classes')
    listed = check_coco_file(name, classes, 'segm' in metrics)
    for index in range(len(dataset)):
        image = dataset.get_data_info(index).get('img_id')
        if image not in listed:
            raise DataError(
                f'{name}: test_evaluator does not list image {image!r} of '
                f'{WHAT}; name the same ann_file in both'
            )
