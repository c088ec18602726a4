"""Drawing calibration images: seeded, checked, never by stealth."""

import json
import os
import shutil

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.detection.data.calib_config import calibration_set
from igq_mmdet.detection.data.calibration_set import (
    build_dataset,
    choose_images,
)
from igq_mmdet.errors import DataError, SpecError


@pytest.fixture
def dataset_config(few_images):
    return few_images().calib_dataset


@pytest.fixture
def copied(dataset_config, tmp_path):
    """The calibration set in a folder that may be damaged."""
    shutil.copytree('demo/images', tmp_path / 'images')
    shutil.copy('demo/instances_calib.json', tmp_path)
    dataset_config.data_root = str(tmp_path)
    return dataset_config, tmp_path


def test_draw_is_seeded(dataset_config):
    dataset = build_dataset(dataset_config, 'calib')
    draws = [choose_images(dataset, 4, seed).image_ids for seed in range(5)]
    again = [choose_images(dataset, 4, seed).image_ids for seed in range(5)]
    assert draws == again
    assert len(set(draws)) == 5
    assert all(len(set(ids)) == 4 for ids in draws)
    # what a seed means must not change between versions
    assert choose_images(dataset, 1, 0).image_ids == (229997,)


def test_batches_are_single_images_in_order(dataset_config):
    images = calibration_set(dict(num_images=3, seed=1), dataset_config)
    batches = list(images)
    ids = [batch['data_samples'][0].img_id for batch in batches]
    assert tuple(ids) == images.image_ids and len(images) == 3
    assert all(len(batch['inputs']) == 1 for batch in batches)
    names = [int(os.path.basename(path)[:-4]) for path in images.paths]
    assert tuple(names) == images.image_ids


@pytest.mark.parametrize('number', [0, 9])
def test_refuses_numbers(number, dataset_config):
    with pytest.raises(DataError, match='has 8, choose 1 to 8'):
        calibration_set(dict(num_images=number), dataset_config)


@pytest.mark.parametrize(
    'fields', [dict(seed=-1), dict(seed='a'), dict(num_images=1.5)]
)
def test_refuses_what_is_no_count(fields, dataset_config):
    with pytest.raises(DataError, match='must be an integer'):
        calibration_set(fields, dataset_config)


def test_unknown_field(dataset_config):
    with pytest.raises(SpecError, match="did you mean 'seed'"):
        calibration_set(dict(sed=1), dataset_config)
    with pytest.raises(SpecError, match='no calibration images'):
        calibration_set({})


def test_overlap_needs_leave(dataset_config, tmp_path):
    # the same files under another way of writing their path
    other = dataset_config.copy()
    other.data_root = os.path.join(os.getcwd(), 'configs/../demo')
    evaluation = build_dataset(other, 'test')
    with pytest.raises(DataError, match='is an evaluation image'):
        calibration_set({}, dataset_config, evaluation)
    images = calibration_set(
        dict(num_images=2, allow_evaluation=True), dataset_config, evaluation
    )
    assert images.evaluated == images.image_ids


def test_missing_annotations(dataset_config):
    dataset_config.ann_file = 'gone.json'
    with pytest.raises(DataError, match='gone.json is not there'):
        build_dataset(dataset_config, 'calib_dataset')


@pytest.mark.parametrize('text', ['{', '[]', '{"images": []}'])
def test_damaged_annotations(text, copied):
    config, folder = copied
    (folder / 'instances_calib.json').write_text(text)
    with pytest.raises(DataError, match='instances_calib.json'):
        build_dataset(config, 'calib_dataset')


def test_no_images(copied):
    config, folder = copied
    path = folder / 'instances_calib.json'
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {'images': [], 'annotations': []}))
    with pytest.raises(DataError, match='lists no images'):
        build_dataset(config, 'calib_dataset')


@pytest.mark.parametrize('damage', ['missing', 'undecodable'])
def test_unreadable_image_is_named(damage, copied):
    config, folder = copied
    images = calibration_set({}, config)
    (path,) = images.paths
    os.unlink(path)
    if damage == 'undecodable':
        with open(path, 'w') as file:
            file.write('no picture')
    with pytest.raises(DataError, match=os.path.basename(path)) as info:
        list(images)
    assert '\n' not in str(info.value)


def test_building_prints_nothing(dataset_config, capfd):
    build_dataset(dataset_config, 'calib')
    assert capfd.readouterr() == ('', '')
