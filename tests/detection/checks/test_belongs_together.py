"""Data that do not belong together are refused before anything is run."""

import copy
import json

import pytest

pytest.importorskip('mmdet')

from mmengine.config import ConfigDict

from igq_mmdet.detection.evaluation.evaluation_set import evaluation_set
from igq_mmdet.errors import DataError, SpecError

from ...few import EVAL, annotations, judged_by


@pytest.fixture
def files(tmp_path):
    """Writes changed copies of the demo's first annotations."""

    def write(name='changed.json', count=8, change=None):
        data = json.loads(annotations(count).read_text())
        if change is not None:
            change(data)
        path = tmp_path / name
        path.write_text(json.dumps(data))
        return path

    return write


@pytest.fixture
def config(few_images):
    """The demo's config, with other datasets and evaluators."""

    def make(*options, dataset=None, evaluator=None):
        config = few_images(*options)
        if dataset is not None:
            config.test_dataloader.dataset = ConfigDict(
                dataset(copy.deepcopy(config.test_dataloader.dataset))
            )
        if evaluator is not None:
            config.test_evaluator = evaluator(config.test_evaluator)
        return config

    return make


def refused(config, error=DataError):
    with pytest.raises(error) as found:
        evaluation_set(config)
    text = str(found.value)
    assert '\n' not in text
    return text


def listing(path):
    return json.loads(path.read_text())['images']


def test_what_belongs_together(config):
    assert len(evaluation_set(config())) == 8


def test_fewer_images_than_are_judged(config):
    few = annotations(6)
    text = refused(config(f'test_dataloader.dataset.ann_file={few}'))
    assert str(annotations(8)) in text and str(few) in text
    assert 'lists 8 images' in text and 'evaluates 6 of them' in text
    missed = listing(annotations(8))[6]['id']
    assert f'image {missed} would count as missed' in text


def test_more_images_than_are_judged(config):
    few = annotations(6)
    text = refused(config(f'test_evaluator.ann_file={few}'))
    assert str(annotations(8)) in text and str(few) in text
    first = listing(annotations(8))[6]['id']
    assert f'does not list image {first} of test_dataloader' in text


@pytest.mark.parametrize('indices', ['3', '-3', '[0, 2, 5]'])
def test_indices(indices, config):
    text = refused(config(f'test_dataloader.dataset.indices={indices}'))
    assert 'evaluates 3 of them' in text and 'leave out indices' in text


def test_filter(config, files):
    def empty_one(data):
        first = data['images'][0]['id']
        data['annotations'] = [
            x for x in data['annotations'] if x['image_id'] != first
        ]

    path = files(change=empty_one)
    drop = (
        'test_dataloader.dataset.test_mode=False',
        'test_dataloader.dataset.filter_cfg.filter_empty_gt=True',
    )
    assert len(evaluation_set(config(*judged_by(path)))) == 8
    text = refused(config(*judged_by(path), *drop))
    assert 'evaluates 7 of them' in text


def test_dataset_that_repeats(config):
    text = refused(
        config(
            dataset=lambda one: dict(
                type='RepeatDataset', times=2, dataset=one
            )
        )
    )
    first = listing(annotations(8))[0]
    assert f'gives image {first["id"]} twice ({first["file_name"]})' in text
    assert str(annotations(8)) in text


def joined(*paths):
    def make(one):
        parts = [{**one, 'ann_file': str(path)} for path in paths]
        return dict(type='ConcatDataset', datasets=parts)

    return make


def test_datasets_that_belong_together(config, files):
    def half(start):
        def change(data):
            data['images'] = data['images'][start : start + 4]
            ids = {image['id'] for image in data['images']}
            data['annotations'] = [
                x for x in data['annotations'] if x['image_id'] in ids
            ]

        return files(f'half_{start}.json', change=change)

    one, two = half(0), half(4)
    assert len(evaluation_set(config(dataset=joined(one, two)))) == 8
    text = refused(config(dataset=joined(one)))
    assert str(one) in text and 'evaluates 4 of them' in text
    text = refused(config(dataset=joined(one, one)))
    assert 'twice' in text

    def start_again(data):
        """Ids from 1, as those of the other half."""
        new = {x['id']: n for n, x in enumerate(data['images'], 1)}
        for image in data['images']:
            image['id'] = new[image['id']]
        for entry in data['annotations']:
            entry['image_id'] = new[entry['image_id']]

    halves = []
    for path in (one, two):
        data = json.loads(path.read_text())
        start_again(data)
        halves.append(path.with_name(f'again_{path.name}'))
        halves[-1].write_text(json.dumps(data))
    text = refused(config(dataset=joined(*halves)))
    names = [listing(path)[0]['file_name'] for path in halves]
    assert f'gives image 1 twice ({names[0]} and {names[1]})' in text
    assert all(str(path) in text for path in halves)


def test_ids_that_mean_other_images(config, files):
    def swap(data):
        one, two = data['images'][:2]
        one['id'], two['id'] = two['id'], one['id']
        for entry in data['annotations']:
            ids = {one['id']: two['id'], two['id']: one['id']}
            entry['image_id'] = ids.get(entry['image_id'], entry['image_id'])

    path = files(change=swap)
    text = refused(config(f'test_evaluator.ann_file={path}'))
    one, two = listing(annotations(8))[:2]
    assert f'image {one["id"]} of test_evaluator is {two["file_name"]}' in text
    assert f'{one["file_name"]}' in text
    assert str(path) in text and str(annotations(8)) in text


def test_sizes_that_differ(config, files):
    def turn(data):
        image = data['images'][0]
        image['width'], image['height'] = image['height'], image['width']

    text = refused(
        config(
            f'test_evaluator.ann_file={files(change=turn)}',
            'test_evaluator.metric=bbox',
        )
    )
    image = listing(annotations(8))[0]
    assert f'{image["height"]} x {image["width"]}' in text
    assert f'{image["width"]} x {image["height"]}' in text


def in_another_order(data):
    data['categories'].insert(0, data['categories'].pop(5))


def test_classes_in_another_order(config, files):
    path = files(change=in_another_order)
    text = refused(config(f'test_evaluator.ann_file={path}'))
    assert str(path) in text and 'the order must be the same' in text


def test_labels_of_the_dataset_itself(config, files):
    """A metric without a file takes labels in the order of the dataset's."""
    path = files(change=in_another_order)

    def own(evaluator):
        return {key: x for key, x in evaluator.items() if key != 'ann_file'}

    text = refused(config(*judged_by(path), evaluator=own))
    assert str(path) in text and 'the order must be the same' in text
    assert len(evaluation_set(config(evaluator=own))) == 8


def nothing(data):
    data['annotations'] = []


def crowds(data):
    for entry in data['annotations']:
        entry['iscrowd'] = 1


def others(data):
    data['categories'].append({'id': 900, 'name': 'unicorn'})
    for entry in data['annotations']:
        entry['category_id'] = 900


@pytest.mark.parametrize('change', [nothing, crowds, others])
@pytest.mark.parametrize('own', [False, True])
def test_nothing_is_annotated(change, own, config, files):
    path = files(change=change)
    options = [*judged_by(path), 'test_evaluator.metric=bbox']

    def evaluator(one):
        return {k: x for k, x in one.items() if not own or k != 'ann_file'}

    text = refused(config(*options, evaluator=evaluator))
    assert str(path) in text and 'annotates nothing of the classes' in text


@pytest.mark.parametrize(
    ('metric', 'numbers', 'wrong'),
    [
        ('bbox', (100, 300, 1000), None),
        ('bbox', (1, 10, 100), None),
        ('bbox', (200, 300, 1000), 'leaves AP'),
        ('segm', (10, 300, 1000), 'leaves AP'),
        ('bbox', (100,), 'leaves AP'),
        ('bbox', 100, 'must be numbers'),
        ('proposal', (100, 300, 1000), None),
        ('proposal', (1, 10, 100), 'would be reported as AR@100'),
        ('proposal_fast', (1, 10), None),
    ],
)
def test_numbers_of_proposals(metric, numbers, wrong, config):
    made = config(
        evaluator=lambda one: {
            **one,
            'metric': metric,
            'proposal_nums': numbers,
        }
    )
    if wrong is None:
        evaluation_set(made)
    else:
        assert wrong in refused(made, SpecError)


def test_a_single_threshold(config):
    text = refused(config('test_evaluator.iou_thrs=0.5'), SpecError)
    assert 'iou_thrs=0.5 must be a list, such as [0.5]' in text


def test_every_metric_is_looked_at(config):
    def two(one):
        return [one, {**one, 'prefix': 'all', 'ann_file': str(EVAL)}]

    text = refused(config(evaluator=two))
    assert str(EVAL) in text and 'evaluates 8 of them' in text


def test_nothing_is_judged_where_results_are_only_written(config):
    def write(one):
        return {**one, 'ann_file': str(EVAL), 'format_only': True}

    assert len(evaluation_set(config(evaluator=write))) == 8


def test_metric_that_does_not_exist(config):
    text = refused(config('test_evaluator.type=CocoMetrics'), SpecError)
    assert "no metric is called 'CocoMetrics'" in text
