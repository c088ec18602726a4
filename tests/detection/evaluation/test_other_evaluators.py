"""Evaluators other than one CocoMetric: right, or refused at once."""

import importlib.util
import json

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from mmengine.config import ConfigDict
from mmengine.dataset import pseudo_collate
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from igq_mmdet import QuantSpec
from igq_mmdet.detection.evaluation.evaluation_set import evaluation_set
from igq_mmdet.errors import DataError, MissingDependencyError, SpecError
from igq_mmdet.report import result_text
from igq_mmdet.studies.experiment import Experiment

from ...few import annotations, judged_by
from ..conftest import FLOAT

VOC = dict(type='VOCMetric', metric='mAP', eval_mode='area')


def with_truth(config, before_resize=False):
    """Loads the annotated boxes, which VOCMetric judges by."""
    load, resize, pack = config.test_dataloader.dataset.pipeline
    truth = ConfigDict(type='LoadAnnotations', with_bbox=True)
    steps = [load, truth, resize] if before_resize else [load, resize, truth]
    config.test_dataloader.dataset.pipeline = [*steps, pack]


@pytest.fixture
def made(few_images, tmp_path):
    """An experiment whose metrics are those given."""

    def make(*evaluators, options=(), change=None, load=True):
        config = few_images(*options)
        config.test_evaluator = [ConfigDict(one) for one in evaluators]
        if change is not None:
            change(config)
        experiment = Experiment(config, str(tmp_path / 'work'), quiet=True)
        if load:
            experiment.load_float(FLOAT)
        experiment.sqnr = False
        return experiment

    return make


def predictions(experiment):
    """Boxes, labels and scores of every image, from the detector itself."""
    dataset = experiment.runner.test_dataloader.dataset
    with torch.no_grad():
        for index in range(len(dataset)):
            batch = pseudo_collate([dataset[index]])
            (result,) = experiment.detector.test_step(batch)
            found = result.pred_instances
            yield (
                dataset.get_data_info(index)['instances'],
                found.bboxes.double().numpy(),
                found.labels.numpy(),
                found.scores.double().numpy(),
            )


def overlap(one, other):
    """IoU of VOC, whose boxes contain their last pixel."""
    left, top = max(one[0], other[0]), max(one[1], other[1])
    right, low = min(one[2], other[2]), min(one[3], other[3])
    both = max(right - left + 1, 0) * max(low - top + 1, 0)
    areas = [(b[2] - b[0] + 1) * (b[3] - b[1] + 1) for b in (one, other)]
    return both / (sum(areas) - both)


def voc_map(images, threshold=0.5):
    """Mean AP of VOC 2010 and later, by loops."""
    images = list(images)
    aps = []
    for label in range(80):
        hits, wanted = [], 0
        for truth, boxes, labels, scores in images:
            own = [x for x in truth if x['bbox_label'] == label]
            wanted += sum(not x['ignore_flag'] for x in own)
            taken = set()
            for index in np.argsort(-scores):
                if labels[index] != label:
                    continue
                ious = [overlap(boxes[index], x['bbox']) for x in own]
                best = int(np.argmax(ious)) if ious else None
                hit = best is not None and ious[best] >= threshold
                if hit and own[best]['ignore_flag']:
                    continue
                hits.append((scores[index], hit and best not in taken))
                if hit:
                    taken.add(best)
        if not wanted:
            continue
        hits.sort(key=lambda x: -x[0])
        right, points = 0, []
        for rank, (_, hit) in enumerate(hits, 1):
            right += hit
            points.append((right / wanted, right / rank))
        area, before = 0.0, 0.0
        for index, (recall, _) in enumerate(points):
            best = max(precision for _, precision in points[index:])
            area += (recall - before) * best
            before = recall
        aps.append(area)
    return sum(aps) / len(aps)


def test_voc(made):
    experiment = made(VOC, change=with_truth)
    experiment.keep()
    experiment.run_float()
    expected = voc_map(predictions(experiment))
    metrics = experiment.report.data['float']['metrics']
    assert metrics['pascal_voc/mAP'] == pytest.approx(expected, abs=1e-6)
    assert 0.3 < expected < 1
    lines = result_text(experiment.report.data).splitlines()
    assert lines[0].split()[4:] == ['mAP', 'kept', 'MB', 'seconds']
    assert lines[2].split()[4] == f'{100 * expected:.2f}'
    # what is kept of the images is enough to judge them again
    again = made(VOC, dict(VOC, prefix='again'), change=with_truth)
    again.keep(resume=True)
    again.run_float()
    found = again.report.data['float']['metrics']
    assert found['pascal_voc/mAP'] == found['again/mAP']
    assert found['again/mAP'] == metrics['pascal_voc/mAP']


def test_voc_without_annotations_in_the_pipeline(made):
    with pytest.raises(DataError, match='VOCMetric cannot judge') as found:
        made(VOC)
    text = str(found.value)
    assert 'add LoadAnnotations after Resize' in text and '\n' not in text


def test_voc_by_boxes_that_were_resized(made):
    with pytest.raises(DataError, match='moves the annotated boxes') as found:
        made(VOC, change=lambda config: with_truth(config, True))
    assert 'VOCMetric' in str(found.value)


def coco(metric=('bbox', 'segm'), **more):
    path = str(annotations(8))
    return dict(type='CocoMetric', ann_file=path, metric=list(metric), **more)


def test_coco_without_a_file_wants_instances(made):
    bare = dict(type='CocoMetric', metric='bbox')
    with pytest.raises(DataError, match='CocoMetric cannot judge') as found:
        made(bare)
    assert 'meta_keys of PackDetInputs' in str(found.value)

    def keep(config):
        pack = config.test_dataloader.dataset.pipeline[-1]
        pack.meta_keys = (*pack.meta_keys, 'instances')

    experiment = made(bare, coco(['bbox'], prefix='file'), change=keep)
    experiment.run_float()
    metrics = experiment.report.data['float']['metrics']
    # areas differ, which only the whole does not depend on
    assert metrics['coco/bbox_mAP'] == metrics['file/bbox_mAP'] > 0.1


def test_masks_that_are_not_predicted(made):
    """Said at the first image, not after the last."""
    options = [
        f'model.roi_head.mask_{x}=None' for x in ('head', 'roi_extractor')
    ]
    experiment = made(coco(), options=options, load=False)
    with pytest.raises(SpecError, match='the detector predicts no masks'):
        experiment.run_float()
    assert len(experiment.runner.test_evaluator.metrics[0].results) == 0
    experiment = made(coco(['bbox']), options=options, load=False)
    experiment.run_float()


def test_several_at_once(made):
    experiment = made(
        coco(),
        coco(['bbox'], prefix='strict', iou_thrs=[0.9]),
        VOC,
        change=with_truth,
    )
    images = experiment.images(1, 0, False)
    spec = QuantSpec(w_bits=8, a_bits=8, method='layerwise')
    experiment.run_settings([spec], images, with_float=True)
    data = experiment.report.data
    (run,) = data['runs']
    full = data['float']
    lines = result_text(data).splitlines()
    titles = ['coco box AP', 'coco mask AP', 'strict box AP']
    assert all(title in lines[0] for title in [*titles, 'pascal_voc mAP'])
    shares = [
        f'{100 * run["metrics"][key] / full["metrics"][key]:.1f}%'
        for key in (
            *('coco/bbox_mAP', 'coco/segm_mAP'),
            *('strict/bbox_mAP', 'pascal_voc/mAP'),
        )
    ]
    assert '/'.join(shares) in lines[3]
    # every figure of every evaluator, float and quantized
    rows = {line.split()[0]: line.split()[1:] for line in lines[4:]}
    keys = {*full['metrics'], *full['undefined']}
    assert keys <= set(rows) and len(keys) == 12 + 6 + 2
    assert rows['pascal_voc/AP50'] == [
        f'{entry["metrics"]["pascal_voc/AP50"]:.4f}' for entry in (full, run)
    ]
    # no threshold of 0.5 among those of the strict one
    assert full['undefined'] and 'strict/bbox_mAP_50' in full['undefined']
    assert rows['strict/bbox_mAP_50'] == ['undefined', 'undefined']


@pytest.fixture
def lvis_file(tmp_path):
    """The demo's first images as LVIS has them: no crowds, all exhaustive."""
    data = json.loads(annotations(8).read_text())
    data['annotations'] = [x for x in data['annotations'] if not x['iscrowd']]
    every = {category['id'] for category in data['categories']}
    for category in data['categories']:
        category['frequency'] = 'rcf'[category['id'] % 3]
    for image in data['images']:
        own = {
            x['category_id']
            for x in data['annotations']
            if x['image_id'] == image['id']
        }
        image['neg_category_ids'] = sorted(every - own)
        image['not_exhaustive_category_ids'] = []
        image['coco_url'] = f'http://x/{image["file_name"]}'
    path = tmp_path / 'lvis.json'
    path.write_text(json.dumps(data))
    return path


def lvis(path, **more):
    return dict(
        type='LVISMetric', ann_file=str(path), metric=['bbox', 'segm'], **more
    )


def test_lvis(made, lvis_file):
    pytest.importorskip('lvis')
    options = judged_by(lvis_file)
    prefix = str(lvis_file.with_name('results'))
    experiment = made(lvis(lvis_file, outfile_prefix=prefix), options=options)
    experiment.run_float()
    metrics = experiment.report.data['float']['metrics']
    truth = COCO(str(lvis_file))
    for kind in ('bbox', 'segm'):
        found = json.loads(
            lvis_file.with_name('results.bbox.json').read_text()
        )
        if kind == 'segm':
            name = lvis_file.with_name('results.segm.json')
            found = json.loads(name.read_text())
        judge = COCOeval(truth, truth.loadRes(found), kind)
        judge.params.maxDets = [300]
        judge.evaluate()
        judge.accumulate()
        precision = judge.eval['precision'][:, :, :, 0]
        expected = precision[precision > -1].mean()
        assert metrics[f'lvis/{kind}_AP'] == pytest.approx(expected, abs=1e-9)
        assert expected > 0.1
    header = result_text(experiment.report.data).splitlines()[0]
    assert 'box AP' in header and 'mask AP' in header


def test_lvis_damage(made, lvis_file):
    pytest.importorskip('lvis')

    def refused(change):
        data = json.loads(lvis_file.read_text())
        change(data)
        path = lvis_file.with_name('damaged.json')
        path.write_text(json.dumps(data))
        with pytest.raises((DataError, SpecError)) as found:
            made(lvis(path), options=judged_by(path))
        return str(found.value)

    def lacks(data):
        del data['images'][2]['neg_category_ids']

    def other(data):
        data['categories'][3]['frequency'] = 'x'

    def more(data):
        data['categories'].append(
            {'id': 900, 'name': 'unicorn', 'frequency': 'r'}
        )

    assert 'images[2].neg_category_ids is missing' in refused(lacks)
    assert "categories[3].frequency is 'x'" in refused(other)
    assert '81 categories, the config has 80 classes' in refused(more)


def test_lvis_needs_its_file(few_images):
    pytest.importorskip('lvis')
    config = few_images()
    config.test_evaluator = ConfigDict(type='LVISMetric')
    with pytest.raises(SpecError, match='LVISMetric needs ann_file'):
        evaluation_set(config)


@pytest.mark.parametrize(
    ('name', 'package'),
    [
        ('LVISMetric', 'lvis'),
        ('CocoPanopticMetric', 'panopticapi'),
        ('CityScapesMetric', 'cityscapesscripts'),
    ],
)
def test_packages_that_are_missing(name, package, few_images, monkeypatch):
    config = few_images()
    config.test_evaluator = [config.test_evaluator, ConfigDict(type=name)]
    find = importlib.util.find_spec
    monkeypatch.setattr(
        'importlib.util.find_spec',
        lambda x, *args: None if x == package else find(x, *args),
    )
    with pytest.raises(MissingDependencyError) as found:
        evaluation_set(config)
    text = str(found.value)
    assert f'{name} needs the package {package}; pip install' in text
