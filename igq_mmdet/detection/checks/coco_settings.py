"""Settings of CocoMetric that do not give what they seem to."""

import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import SpecError

# COCO names its average recalls by these, whatever proposal_nums says.
PROPOSALS = (100, 300, 1000)
AP_AT = 100  # detections an image for which COCO's AP is taken


def metrics_of(evaluator: Mapping[str, Any]) -> Sequence[str]:
    """What a CocoMetric measures.

    Args:
        evaluator (Mapping): Its config.
    """
    metric = evaluator.get('metric', 'bbox')
    return [metric] if isinstance(metric, str) else metric


def check_coco_settings(evaluator: Mapping[str, Any], judge: str) -> None:
    """Refuses settings that leave figures undefined or named wrongly.

    Args:
        evaluator (Mapping): Config of a CocoMetric.
        judge (str): What the config calls it.

    Raises:
        SpecError: Names field and value.
    """
    metrics = metrics_of(evaluator)
    items = evaluator.get('metric_items') or ()
    recall = 'proposal' in metrics or any('AR' in item for item in items)
    numbers = evaluator.get('proposal_nums', PROPOSALS)
    if not isinstance(numbers, list | tuple) or not all(
        type(number) is int for number in numbers
    ):
        raise SpecError(
            f'{judge}: proposal_nums must be numbers such as {PROPOSALS}, '
            f'got {reprlib.repr(numbers)}'
        )
    numbers = sorted(numbers)
    if recall and tuple(numbers) != PROPOSALS:
        raise SpecError(
            f'{judge}: proposal_nums={tuple(numbers)} would be reported as '
            f'AR@100, AR@300 and AR@1000; leave it at {PROPOSALS}, or take '
            "metric='proposal_fast'"
        )
    if {'bbox', 'segm'} & set(metrics):
        if AP_AT not in numbers or len(numbers) < len(PROPOSALS):
            raise SpecError(
                f'{judge}: proposal_nums={tuple(numbers)} leaves AP, which '
                f'COCO takes at {AP_AT} detections an image, undefined; it '
                f'must have three numbers with {AP_AT} among them, such as '
                f'{PROPOSALS}'
            )
    thresholds = evaluator.get('iou_thrs')
    if isinstance(thresholds, int | float):
        raise SpecError(
            f'{judge}: iou_thrs={thresholds} must be a list, such as '
            f'[{thresholds}]'
        )
