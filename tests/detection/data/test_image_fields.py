"""Images of one kind: what annotation files say beyond what mmdet reads."""

import json

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.detection.data.calib_config import calibration_set, each_value
from igq_mmdet.detection.data.calibration_set import build_dataset
from igq_mmdet.detection.data.image_fields import dataset_field
from igq_mmdet.errors import DataError, SpecError


@pytest.fixture
def kinds(few_images, tmp_path):
    """The demo's calibration images; every third is of kind ``b``."""
    config = few_images().calib_dataset
    with open('demo/instances_calib.json') as file:
        content = json.load(file)
    for place, image in enumerate(content['images']):
        image['kind'] = 'b' if place % 3 == 0 else 'a'
        image['lens'] = place % 2
    path = tmp_path / 'kinds.json'
    path.write_text(json.dumps(content))
    config.ann_file = str(path)
    return config, path, content


def ids_of(content, **fields):
    return {
        image['id']
        for image in content['images']
        if all(image[key] == value for key, value in fields.items())
    }


def test_values_by_image(kinds):
    config, _, content = kinds
    dataset = build_dataset(config, 'calib_dataset')
    found = dataset_field(dataset, 'kind')
    assert found == {one['id']: one['kind'] for one in content['images']}
    # a number counts as a word
    assert set(dataset_field(dataset, 'lens').values()) == {'0', '1'}


def test_draws_only_such_images(kinds):
    config, _, content = kinds
    for where in (dict(kind='b'), dict(kind='a'), dict(kind='a', lens=1)):
        wanted = ids_of(content, **where)
        calib = dict(num_images=len(wanted), seed=3, where=where)
        images = calibration_set(calib, config)
        assert set(images.image_ids) == wanted
        assert images.where == {key: str(where[key]) for key in where}
        # what is drawn is what is read
        samples = [batch['data_samples'][0].img_id for batch in images]
        assert tuple(samples) == images.image_ids
    draws = {
        calibration_set(
            dict(seed=seed, where=dict(kind='b')), config
        ).image_ids
        for seed in range(20)
    }
    assert len(draws) == 3


def test_no_restriction_draws_as_before(kinds):
    config, _, _ = kinds
    for where in (None, {}):
        images = calibration_set(dict(num_images=4, where=where), config)
        plain = calibration_set(dict(num_images=4), config)
        assert images.image_ids == plain.image_ids and images.where == {}


@pytest.mark.parametrize(
    'calib, text',
    [
        (dict(where=dict(kind='c')), "no image has kind 'c'; .* 'a', 'b'"),
        (dict(where=dict(sort='b')), "has no 'sort'; images have .*kind"),
        (dict(where=dict(file_name='x')), "no image has file_name 'x'"),
        (
            dict(where=dict(kind='b'), num_images=4),
            "has 3 with kind 'b', choose 1 to 3",
        ),
    ],
)
def test_refused(calib, text, kinds):
    with pytest.raises(DataError, match=text) as info:
        calibration_set(calib, kinds[0])
    assert '\n' not in str(info.value)


def test_where_is_a_mapping(kinds):
    with pytest.raises(SpecError, match='where must be fields of images'):
        calibration_set(dict(where='kind=b'), kinds[0])


def test_an_image_that_does_not_say(kinds):
    config, path, content = kinds
    for value in (None, '', [1], 1.5):
        content['images'][1]['kind'] = value
        path.write_text(json.dumps(content))
        number = content['images'][1]['id']
        with pytest.raises(DataError, match=f'image {number} has .* as'):
            calibration_set(dict(where=dict(kind='b')), config)


def test_each_value(kinds):
    config, _, _ = kinds
    assert each_value(config) == [{}]
    assert each_value(None, ['kind=a', 'lens=1']) == [
        {'kind': 'a', 'lens': '1'}
    ]
    assert each_value(config, ['lens=1'], 'kind') == [
        {'lens': '1'},
        {'lens': '1', 'kind': 'a'},
        {'lens': '1', 'kind': 'b'},
    ]
    with pytest.raises(SpecError, match='no calib_dataset'):
        each_value(None, [], 'kind')
    for item in ('kind', '=a', 'kind='):
        with pytest.raises(SpecError, match='is not FIELD=VALUE'):
            each_value(config, [item])
