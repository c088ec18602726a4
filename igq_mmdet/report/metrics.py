"""Metrics that tables show, and their names in words."""

BOX, MASK = 'coco/bbox_mAP', 'coco/segm_mAP'
METRICS = {BOX: 'box AP', MASK: 'mask AP', 'top1': 'top-1', 'top5': 'top-5'}

# Main figures of detectors by name without the evaluator's prefix: what
# tables call them, and what turns them into percent.
MAIN = {
    'bbox_mAP': ('box AP', 100.0),
    'segm_mAP': ('mask AP', 100.0),
    'bbox_AP': ('box AP', 100.0),  # of LVIS
    'segm_AP': ('mask AP', 100.0),
    'mAP': ('mAP', 100.0),  # of VOC and others
    'PQ': ('PQ', 1.0),
}


def bare(metric: str) -> str:
    """A metric's name without the prefix of its evaluator.

    Args:
        metric (str): Its key.
    """
    prefix, slash, name = metric.partition('/')
    return name if slash else prefix


def points(metric: str) -> float:
    """What turns a metric into percent: AP is kept as a fraction.

    Args:
        metric (str): Its key.
    """
    if bare(metric) in MAIN:
        return MAIN[bare(metric)][1]
    return 100.0 if metric.endswith('mAP') else 1.0
