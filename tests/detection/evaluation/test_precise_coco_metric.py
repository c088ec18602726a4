"""AP to full precision, against numbers that the COCO API gives."""

import json
from collections import defaultdict

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmdet.evaluation import CocoMetric
from mmengine.evaluator import Evaluator
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from igq_mmdet.detection.evaluation.precise_coco_metric import (
    PreciseCocoMetric,
    keep_matches,
    kept_matches,
)
from igq_mmdet.detection.evaluation.unrounded import report_unrounded
from igq_mmdet.report.differences import average_precision

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


def coco_stats(truth, kind, ids=None):
    evaluation = COCOeval(truth, truth.loadRes(results_of(kind)), kind)
    evaluation.params.imgIds = ids or evaluation.params.imgIds
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


@pytest.mark.parametrize('kind', ['bbox', 'segm'])
def test_matches_give_the_same_ap(kind, truth):
    """Crowds, areas and images without objects: COCO's own hundred images."""
    metric = PreciseCocoMetric(
        ann_file=TRUTH, metric=kind, proposal_nums=(1, 10, 100)
    )
    evaluator = Evaluator(metric)
    keep_matches(evaluator)
    metrics = metric_of(truth, kind, metric)
    (matches,) = kept_matches(evaluator).values()
    assert set(kept_matches(evaluator)) == {f'coco/{kind}_mAP'}
    every = np.ones(100, dtype=int)
    for name, options in {
        'mAP': {},
        'mAP_50': {'iou': 0.5},
        'mAP_75': {'iou': 0.75},
        'mAP_s': {'area': 'small'},
        'mAP_m': {'area': 'medium'},
        'mAP_l': {'area': 'large'},
    }.items():
        assert average_precision(matches, every, **options) == pytest.approx(
            metrics[f'{kind}_{name}'], rel=0, abs=1e-12
        )
    # every third image, matched and accumulated by COCOeval alone
    part = np.arange(100) % 3 == 0
    ids = [matches.image_ids[index] for index in np.flatnonzero(part)]
    assert average_precision(matches, part) == pytest.approx(
        coco_stats(truth, kind, ids)[0], rel=0, abs=1e-12
    )


def test_matches_are_kept_only_if_asked_for(truth):
    metric = PreciseCocoMetric(ann_file=TRUTH, metric='bbox')
    metric_of(truth, 'bbox', metric)
    assert kept_matches(Evaluator(metric)) == {}


def test_proposals_are_no_boxes(truth):
    """Recall of proposals is evaluated on boxes too, without classes."""
    both = PreciseCocoMetric(
        ann_file=TRUTH,
        metric=['bbox', 'proposal'],
        proposal_nums=(1, 10, 100),
    )
    assert metric_of(truth, 'bbox', both)['bbox_mAP'] == pytest.approx(
        REFERENCE['bbox'], abs=5e-7
    )


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
    keep_matches(Evaluator(metric))
    metrics = metric.compute_metrics(metric.results)
    assert metrics['bbox_mAP'] == 0 and metrics['segm_mAP'] == 0
    assert metrics['segm_mAP_l'] == 0
    # what is annotated is the same as where something is found
    found = PreciseCocoMetric(ann_file=TRUTH, metric='bbox')
    keep_matches(Evaluator(found))
    metric_of(truth, 'bbox', found)
    for name, matches in metric.matches.items():
        assert average_precision(matches, np.ones(100, dtype=int)) == 0
        assert name != 'bbox_mAP' or (
            matches.identity == found.matches[name].identity
        )
    assert set(metric.matches) == {'bbox_mAP', 'segm_mAP'}


def test_format_only(truth, tmp_path):
    metric = PreciseCocoMetric(
        ann_file=TRUTH,
        format_only=True,
        outfile_prefix=str(tmp_path / 'results'),
    )
    assert metric_of(truth, 'bbox', metric) == {}
    assert (tmp_path / 'results.bbox.json').is_file()
