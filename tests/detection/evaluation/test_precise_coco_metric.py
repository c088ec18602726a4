"""AP to full precision, against numbers that the COCO API gives."""

import json
from collections import defaultdict

import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.evaluation import CocoMetric
from mmengine.evaluator import Evaluator
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from igq_mmdet.detection.evaluation.precise_coco_metric import (
    PreciseCocoMetric,
    report_unrounded,
)

from ...conftest import ROOT

DATA = ROOT / 'tests/data/coco_eval'
TRUTH = str(DATA / 'instances_val2014_100.json')
NAME = 'instances_val2014_fake{}100_results.json'
REFERENCE = {'bbox': 0.504581, 'segm': 0.319545}


@pytest.fixture(scope='module')
def truth():
    return COCO(TRUTH)


def results_of(kind):
    return json.loads((DATA / NAME.format(kind)).read_text())


def coco_stats(truth, kind):
    evaluation = COCOeval(truth, truth.loadRes(results_of(kind)), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation.stats


def metric_of(truth, kind, metric=None):
    """Feeds the results of the COCO API as a detector would give them."""
    categories = truth.loadCats(sorted(truth.getCatIds()))
    label = {c['id']: i for i, c in enumerate(categories)}
    metric = metric or PreciseCocoMetric(
        ann_file=TRUTH, metric=kind, proposal_nums=(1, 10, 100)
    )
    metric.dataset_meta = {'classes': [c['name'] for c in categories]}
    by_image = defaultdict(list)
    for result in results_of(kind):
        by_image[result['image_id']].append(result)
    for image_id, image in truth.imgs.items():
        found = by_image[image_id]
        boxes = torch.zeros(len(found), 4, dtype=torch.float64)
        if kind == 'bbox':
            xywh = [result['bbox'] for result in found]
            boxes = torch.tensor(xywh, dtype=torch.float64).reshape(-1, 4)
            boxes[:, 2:] += boxes[:, :2]
        pred = {
            'bboxes': boxes,
            'scores': torch.tensor([r['score'] for r in found]).double(),
            'labels': torch.tensor([label[r['category_id']] for r in found]),
        }
        if kind == 'segm':
            pred['masks'] = [
                dict(r['segmentation'], counts=r['segmentation']['counts'])
                for r in found
            ]
        sample = {
            'img_id': image_id,
            'ori_shape': (image['height'], image['width']),
            'pred_instances': pred,
        }
        metric.process({}, [sample])
    return metric.compute_metrics(metric.results)


@pytest.mark.parametrize('kind', ['bbox', 'segm'])
def test_reference(kind, truth):
    stats = coco_stats(truth, kind)
    assert stats[0] == pytest.approx(REFERENCE[kind], abs=5e-7)
    metrics = metric_of(truth, kind)
    names = ('mAP', 'mAP_50', 'mAP_75', 'mAP_s', 'mAP_m', 'mAP_l')
    for name, expected in zip(names, stats, strict=False):
        assert metrics[f'{kind}_{name}'] == pytest.approx(expected, abs=1e-9)


def test_stock_metric_becomes_precise(truth):
    rounded = CocoMetric(ann_file=TRUTH, metric='bbox')
    report_unrounded(Evaluator(rounded))
    metrics = metric_of(truth, 'bbox', rounded)
    assert metrics['bbox_mAP'] != round(metrics['bbox_mAP'], 3)


def test_other_metrics_stay():
    class Own(CocoMetric):
        pass

    own = Own(ann_file=TRUTH)
    report_unrounded(Evaluator(own))
    assert type(own) is Own


def test_nothing_detected(truth):
    metric = PreciseCocoMetric(ann_file=TRUTH, metric=['bbox', 'segm'])
    metric.dataset_meta = {
        'classes': [c['name'] for c in truth.loadCats(truth.getCatIds())]
    }
    nothing = {
        'bboxes': torch.zeros(0, 4),
        'scores': torch.zeros(0),
        'labels': torch.zeros(0, dtype=torch.long),
        'masks': torch.zeros(0, 9, 9, dtype=torch.bool),
    }
    for image_id in truth.imgs:
        sample = {
            'img_id': image_id,
            'ori_shape': (9, 9),
            'pred_instances': nothing,
        }
        metric.process({}, [sample])
    metrics = metric.compute_metrics(metric.results)
    assert metrics['bbox_mAP'] == 0 and metrics['segm_mAP'] == 0
    assert metrics['segm_mAP_l'] == 0


def test_format_only(truth, tmp_path):
    metric = PreciseCocoMetric(
        ann_file=TRUTH,
        format_only=True,
        outfile_prefix=str(tmp_path / 'results'),
    )
    assert metric_of(truth, 'bbox', metric) == {}
    assert (tmp_path / 'results.bbox.json').is_file()
