"""AP of some images, against COCOeval on nothing but them."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmdet')

from mmdet.datasets.api_wrappers import COCO
from mmengine.evaluator import Evaluator
from pycocotools.cocoeval import COCOeval

from igq_mmdet.detection.evaluation.ap_by import report_ap_by
from igq_mmdet.detection.evaluation.precise_coco_metric import (
    STATS,
    PreciseCocoMetric,
)
from igq_mmdet.errors import DataError, SpecError
from igq_mmdet.report.differences import Matches, average_precision

from .test_precise_coco_metric import TRUTH, metric_of, results_of


@pytest.fixture(scope='module')
def truth(tmp_path_factory):
    """Images of three kinds; in those of the third nothing is annotated."""
    data = json.loads(Path(TRUTH).read_text())
    data['images'] = sorted(data['images'], key=lambda image: image['id'])[:20]
    for place, image in enumerate(data['images']):
        image['kind'] = 'few' if place < 5 else 'many'
    data['images'][-1]['kind'] = 'none'
    ids = {image['id'] for image in data['images'][:-1]}
    data['annotations'] = [
        one for one in data['annotations'] if one['image_id'] in ids
    ]
    path = tmp_path_factory.mktemp('truth') / 'kinds.json'
    path.write_text(json.dumps(data))
    return COCO(str(path))


def evaluated(truth, iou_type, ids):
    results = [r for r in results_of(iou_type) if r['image_id'] in truth.imgs]
    run = COCOeval(truth, truth.loadRes(results), iou_type)
    run.params.imgIds = sorted(ids)
    run.evaluate()
    run.accumulate()
    run.summarize()
    return run


def ids_of(truth, kind):
    return [i for i, image in truth.imgs.items() if image['kind'] == kind]


@pytest.mark.parametrize('iou_type', ['bbox', 'segm'])
def test_matches_are_accumulated_again(truth, iou_type):
    matches = Matches.of(evaluated(truth, iou_type, truth.imgs))
    for ids in (ids_of(truth, 'few'), ids_of(truth, 'many'), truth.imgs):
        alone = evaluated(truth, iou_type, ids).stats[0]
        part = np.isin(matches.image_ids, list(ids))
        assert average_precision(matches, part) == pytest.approx(
            alone, rel=0, abs=1e-12
        )
    assert np.isnan(average_precision(matches, 0 * part))


@pytest.mark.parametrize('iou_type', ['bbox', 'segm'])
def test_metric_reports_kinds(truth, iou_type):
    metric = PreciseCocoMetric(
        ann_file=TRUTH, metric=iou_type, proposal_nums=(1, 10, 100)
    )
    metric._coco_api = truth
    counts = report_ap_by(Evaluator(metric), {'ap_by': 'kind'})
    assert counts == {'kind': {'many': 14, 'few': 5, 'none': 1}}
    found = metric_of(truth, iou_type, metric)
    for kind in ('few', 'many'):
        ids = ids_of(truth, kind)
        expected = evaluated(truth, iou_type, ids).stats[0]
        key = f'{iou_type}_mAP_by_kind/{kind}'
        assert found.pop(key) == pytest.approx(expected, abs=1e-12)
    # no AP where nothing is annotated
    assert set(found) == {f'{iou_type}_{name}' for name in STATS}


def test_by_nothing(truth):
    metric = PreciseCocoMetric(ann_file=TRUTH, metric='bbox')
    assert report_ap_by(Evaluator(metric), {}) == {}
    assert not metric.by


@pytest.mark.parametrize(
    'fields, text',
    [
        ('sort', "has no 'sort'; images have .*kind"),
        (['kind', 'sort'], "has no 'sort'"),
        ('flickr_url', None),
        (3, 'ap_by must name a field'),
        ([''], 'ap_by must name a field'),
        ('a/b', 'ap_by must name a field'),
    ],
)
def test_refused(truth, fields, text):
    metric = PreciseCocoMetric(ann_file=TRUTH, metric='bbox')
    metric._coco_api = truth
    if text is None:
        assert report_ap_by(Evaluator(metric), {'ap_by': fields})
        return
    with pytest.raises((DataError, SpecError), match=text):
        report_ap_by(Evaluator(metric), {'ap_by': fields})


def test_a_field_that_is_no_word(truth):
    metric = PreciseCocoMetric(ann_file=TRUTH, metric='bbox')
    metric._coco_api = copy.deepcopy(truth)
    first = min(metric._coco_api.imgs)
    metric._coco_api.imgs[first]['kind'] = [1]
    with pytest.raises(DataError, match=rf"image {first} has \[1\] as 'kind'"):
        report_ap_by(Evaluator(metric), {'ap_by': 'kind'})


def test_no_metric_that_could():
    with pytest.raises(SpecError, match='no CocoMetric'):
        report_ap_by(Evaluator([]), {'ap_by': 'kind'})
