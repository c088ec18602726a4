"""mmdet's CocoMetric without its rounding to three decimals."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any
from unittest import mock

import numpy as np
from mmdet.evaluation.metrics import coco_metric
from mmdet.evaluation.metrics.coco_metric import CocoMetric
from mmengine.evaluator import Evaluator

from ...errors import SpecError
from ...registry import METRICS
from ...report.differences import (
    Matches,
    PartOfImages,
    PerImage,
    average_precision,
)

# position in COCOeval.stats
STATS = {
    'mAP': 0,
    'mAP_50': 1,
    'mAP_75': 2,
    'mAP_s': 3,
    'mAP_m': 4,
    'mAP_l': 5,
}


def keep_matches(evaluator: Evaluator) -> None:
    """Lets precise metrics keep which detections are right.

    Args:
        evaluator (Evaluator): Of a test loop.
    """
    for metric in evaluator.metrics:
        if hasattr(metric, 'keep_matches'):
            metric.keep_matches = True


def kept_matches(evaluator: Evaluator) -> dict[str, Any]:
    """Which detections of the last evaluation were right, by metric.

    Or, of a metric of maps, what each image is worth.

    Args:
        evaluator (Evaluator): After :func:`keep_matches` and an evaluation;
            only the main process has any.
    """
    return {
        f'{metric.prefix}/{name}' if metric.prefix else name: matches
        for metric in evaluator.metrics
        if hasattr(metric, 'keep_matches')
        for name, matches in metric.matches.items()
    }


def kept_parts(evaluator: Evaluator) -> dict[str, PerImage]:
    """Those of :func:`kept_matches`, and of each part AP is reported for.

    Args:
        evaluator (Evaluator): See :func:`kept_matches`.

    Returns:
        dict[str, PerImage]: By the key of the figure, such as
        ``coco/bbox_mAP_by_kind/fluorescence``.
    """
    whole = kept_matches(evaluator)
    found: dict[str, PerImage] = dict(whole)
    for metric in evaluator.metrics:
        for field, values in getattr(metric, 'by', {}).items():
            for key, matches in whole.items():
                if key.rpartition('/')[0] != (metric.prefix or ''):
                    continue
                own = np.array([values.get(x) for x in matches.image_ids])
                for value in sorted(set(values.values())):
                    name = f'{key}_by_{field}/{value}'
                    found[name] = PartOfImages(matches, own == value)
    return found


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
        keep_matches (bool): Whether an evaluation leaves ``matches``.
        matches (Mapping[str, Matches]): Of the last evaluation, by key of
            the AP that follows from them.
    """

    by: Mapping[str, Mapping[Any, str]] = MappingProxyType({})
    keep_matches = False
    matches: Mapping[str, Matches] = MappingProxyType({})

    def process(self, data_batch: Any, data_samples: Any) -> None:
        """See ``CocoMetric.process``.

        Raises:
            SpecError: The detector does not predict what is to be judged,
                which would otherwise show after the last image.
        """
        for sample in data_samples:
            found = sample.get('pred_instances')
            lacks = 'instances' if found is None else 'masks'
            if found is None or 'segm' in self.metrics and lacks not in found:
                raise SpecError(
                    f'test_evaluator: metric={self.metrics} of CocoMetric, '
                    f'but the detector predicts no {lacks}; leave out what '
                    'it does not predict'
                )
        super().process(data_batch, data_samples)

    def compute_metrics(self, results: list) -> dict[str, float]:
        """Computes metrics from processed results.

        Args:
            results (list): See ``CocoMetric.compute_metrics``.

        Returns:
            dict[str, float]: Same keys, unrounded values.
        """
        # a list, as configs give it, is no array to pycocotools and NumPy 2
        self.iou_thrs: Any = np.atleast_1d(self.iou_thrs)
        runs: list[Any] = []

        class Remembered(coco_metric.COCOeval):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                runs.append(self)

        with mock.patch.object(coco_metric, 'COCOeval', Remembered):
            metrics = super().compute_metrics(results)
        self.matches = {}
        if self.format_only:
            return metrics
        by_type = {
            run.params.iouType: run
            for run in runs
            if run.params.useCats  # 'proposal' is bbox without classes
        }
        for metric in self.metrics:
            if metric not in ('bbox', 'segm'):
                continue
            stats = by_type[metric].stats if metric in by_type else None
            for name in self.metric_items or STATS:
                key = f'{metric}_{name}'
                if stats is None:
                    metrics.setdefault(key, 0.0)
                elif name in STATS:
                    metrics[key] = float(stats[STATS[name]])
        if (self.keep_matches or self.by) and not self.use_mp_eval:
            matches = self._matches(by_type)
            for name, found in matches.items():
                metrics |= self._by_field(name, found)
            self.matches = matches if self.keep_matches else {}
        return metrics

    def _by_field(self, name: str, matches: Matches) -> dict[str, float]:
        found = {}
        for field, values in self.by.items():
            own = np.array([values.get(image) for image in matches.image_ids])
            for value in sorted(set(values.values())):
                ap = float(average_precision(matches, own == value))
                if ap >= 0:  # nothing annotated gives NaN
                    found[f'{name}_by_{field}/{value}'] = ap
        return found

    def _matches(self, by_type: Mapping[str, Any]) -> dict[str, Matches]:
        found = {}
        for metric in self.metrics:
            if metric in ('bbox', 'segm'):
                run = by_type.get(metric) or self._nothing_found(metric)
                found[f'{metric}_mAP'] = Matches.of(run)
        return found

    def _nothing_found(self, iou_type: str) -> Any:
        """What mmdet leaves out: an evaluation of no detection at all."""
        nothing = coco_metric.COCO()
        images = list(self._coco_api.imgs.values())
        nothing.dataset = {'images': images, 'annotations': []}
        nothing.createIndex()
        run = coco_metric.COCOeval(self._coco_api, nothing, iou_type)
        run.params.catIds, run.params.imgIds = self.cat_ids, self.img_ids
        run.params.maxDets = list(self.proposal_nums)
        run.params.iouThrs = self.iou_thrs
        run.evaluate()
        return run
