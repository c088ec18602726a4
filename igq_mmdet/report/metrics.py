"""Metrics that tables show, and their names in words."""

BOX, MASK = 'coco/bbox_mAP', 'coco/segm_mAP'
METRICS = {BOX: 'box AP', MASK: 'mask AP', 'top1': 'top-1', 'top5': 'top-5'}


def points(metric: str) -> float:
    """What turns a metric into percent: AP is kept as a fraction.

    Args:
        metric (str): Its key.
    """
    return 100.0 if metric.endswith('mAP') else 1.0
