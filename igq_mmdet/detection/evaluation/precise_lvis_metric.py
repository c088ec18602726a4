"""mmdet's LVISMetric without its rounding, and with today's numpy."""

from typing import Any
from unittest import mock

import numpy as np
from mmdet.evaluation.metrics import lvis_metric
from mmdet.evaluation.metrics.lvis_metric import LVISMetric

from ...registry import METRICS

# Of LVISEval.get_results, where LVISMetric leaves metric_items out.
ITEMS = ('AP', 'AP50', 'AP75', 'APs', 'APm', 'APl', 'APr', 'APc', 'APf')


@METRICS.register_module()
class PreciseLVISMetric(LVISMetric):
    """Reports AP to full precision; everything else is LVISMetric.

    Without any detection AP is 0. What has no annotation stays at -1, as
    LVIS has it.
    """

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Computes metrics from processed results.

        Args:
            results (list): See ``LVISMetric.compute_metrics``.

        Returns:
            dict[str, float]: Same keys, unrounded values.
        """
        runs: list[Any] = []

        class Remembered(lvis_metric.LVISEval):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                runs.append(self)

        with (
            mock.patch.object(lvis_metric, 'LVISEval', Remembered),
            # lvis 0.5.3 still uses the name, which numpy 1.24 dropped
            mock.patch.object(np, 'float', float, create=True),
        ):
            metrics = super().compute_metrics(results)
        if self.format_only:
            return metrics
        by_type = {run.params.iou_type: run.get_results() for run in runs}
        for metric in self.metrics:
            if metric not in ('bbox', 'segm'):
                continue
            for name in self.metric_items or ITEMS:
                found = by_type.get(metric, {})
                metrics[f'{metric}_{name}'] = float(found.get(name, 0.0))
        return metrics
