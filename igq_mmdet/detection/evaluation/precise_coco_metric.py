"""mmdet's CocoMetric without its rounding to three decimals."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from unittest import mock

from mmdet.evaluation.metrics import coco_metric
from mmdet.evaluation.metrics.coco_metric import CocoMetric
from mmengine.evaluator import Evaluator

from ...registry import METRICS
from .reaccumulate import stats_of

# position in COCOeval.stats
STATS = {
    'mAP': 0,
    'mAP_50': 1,
    'mAP_75': 2,
    'mAP_s': 3,
    'mAP_m': 4,
    'mAP_l': 5,
}


def report_unrounded(evaluator: Evaluator) -> None:
    """Turns the CocoMetrics of a config into precise ones, in place.

    Args:
        evaluator (Evaluator): Of a test or validation loop.
    """
    for metric in evaluator.metrics:
        if type(metric) is CocoMetric:
            metric.__class__ = PreciseCocoMetric


@METRICS.register_module()
class PreciseCocoMetric(CocoMetric):
    """Reports AP to full precision; everything else is CocoMetric.

    CocoMetric rounds to 0.1 AP, which hides small differences between
    quantization settings. The evaluators that it runs are remembered and
    their unrounded statistics reported. Without any detection AP is 0.

    Attributes:
        by (Mapping[str, Mapping[Any, str]]): Of every image by its id, the
            value of a field such as ``kind``; AP is then reported for the
            images of each value too, as ``bbox_mAP_by_kind/VALUE``. Values
            without any annotated object have no AP and are left out.
    """

    by: Mapping[str, Mapping[Any, str]] = MappingProxyType({})

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Computes metrics from processed results.

        Args:
            results (list): See ``CocoMetric.compute_metrics``.

        Returns:
            dict[str, float]: Same keys, unrounded values.
        """
        runs = []

        class Remembered(coco_metric.COCOeval):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                runs.append(self)

        with mock.patch.object(coco_metric, 'COCOeval', Remembered):
            metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        by_type = {run.params.iouType: run for run in runs}
        for metric in self.metrics:
            if metric not in ('bbox', 'segm'):
                continue
            run = by_type.get(metric)
            stats = None if run is None else run.stats
            for name in self.metric_items or STATS:
                key = f'{metric}_{name}'
                if stats is None:
                    metrics.setdefault(key, 0.0)
                elif name in STATS:
                    metrics[key] = float(stats[STATS[name]])
            metrics |= self._by_field(f'{metric}_mAP', run)
        return metrics

    def _by_field(self, name: str, run: Any) -> dict[str, float]:
        found = {}
        for field, values in self.by.items():
            for value in sorted(set(values.values())):
                ids = [image for image, v in values.items() if v == value]
                ap = 0.0 if run is None else float(stats_of(run, ids)[0])
                if ap >= 0:
                    found[f'{name}_by_{field}/{value}'] = ap
        return found
