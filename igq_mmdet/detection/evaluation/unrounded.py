"""Metrics that mmdet rounds, to full precision."""

from mmdet.evaluation import CocoMetric, LVISMetric
from mmengine.evaluator import Evaluator

from .precise_coco_metric import PreciseCocoMetric
from .precise_lvis_metric import PreciseLVISMetric

PRECISE = {CocoMetric: PreciseCocoMetric, LVISMetric: PreciseLVISMetric}


def report_unrounded(evaluator: Evaluator) -> None:
    """Turns the COCO and LVIS metrics of a config into precise ones.

    Args:
        evaluator (Evaluator): Of a test or validation loop; it is changed.
    """
    for metric in evaluator.metrics:
        metric.__class__ = PRECISE.get(type(metric), type(metric))
