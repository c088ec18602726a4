"""Checks of what AP is measured on, before anything is computed."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import DataError, SpecError
from ..checks.belongs_together import check_together, classes_of
from ..checks.metric_packages import check_packages
from ..checks.metric_trial import try_metrics
from ..data.calibration_set import build_dataset, image_path
from ..data.class_order import check_class_order

WHAT = 'test_dataloader'


def evaluation_set(config: Mapping[str, Any]) -> Any:
    """Builds the evaluation dataset; every image must be there.

    Args:
        config (Mapping): A test config.

    Returns:
        Dataset: The evaluation dataset.

    Raises:
        SpecError: The config evaluates nothing, or figures would be
            undefined.
        DataError: Annotations or images are missing, or do not belong
            together; names the files.
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
    check_packages(evaluators)
    dataset = build_dataset(config[WHAT]['dataset'], WHAT)
    check_together(dataset, evaluators, WHAT)
    paths = [image_path(dataset, index) for index in range(len(dataset))]
    missing = [p for p in paths if '://' not in p and not os.path.isfile(p)]
    if missing:
        annotations = getattr(dataset, 'ann_file', 'the dataset')
        raise DataError(
            f'{WHAT}: {annotations} lists {len(missing)} of {len(paths)} '
            f'images that are not there, first {missing[0]}'
        )
    return dataset


def check_loop(
    loop: Any,
    config: Mapping[str, Any],
    loader: str = WHAT,
    trained: tuple[str, Sequence[str]] | tuple[()] = (),
) -> None:
    """The same of a loop that is built, and what shows only then.

    Args:
        loop (TestLoop): Test or validation.
        config (Mapping): What the loop was built from.
        loader (str): ``test_dataloader`` or ``val_dataloader``.
        trained (tuple[str, Sequence[str]], optional): File of the weights
            and the classes they were trained for.

    Raises:
        SpecError: See :func:`evaluation_set`.
        DataError: See :func:`evaluation_set`.
        CheckpointError: Trained for classes in another order.
    """
    dataset = loop.dataloader.dataset
    evaluators = config.get(loader.replace('dataloader', 'evaluator'))
    if isinstance(evaluators, Mapping):
        evaluators = [evaluators]
    if isinstance(evaluators, list | tuple) and all(
        isinstance(evaluator, Mapping) for evaluator in evaluators
    ):
        check_together(dataset, evaluators, loader)
    if trained:
        check_class_order(*trained, classes_of(dataset))
    try_metrics(loop, loader)
