"""AP of images with weights, against COCOeval on those images themselves."""

import json

import numpy as np
import pytest

pytest.importorskip('pycocotools')

from igq_mmdet.errors import DataError
from igq_mmdet.report.differences import Matches, average_precision, resampled
from igq_mmdet.report.differences.resampling import resamples

from .conftest import IMAGES, coco_run, make_data

SEEDS = range(4)
ALL = np.ones(IMAGES, dtype=int)


def nan_for_none(value):
    return np.nan if value == -1 else value


def of_precision(run, iou, area, max_dets):
    """From COCOeval's table of precision, as ``summarize`` takes it."""
    params = run.params
    a, m = params.areaRngLbl.index(area), params.maxDets.index(max_dets)
    values = run.eval['precision'][:, :, :, a, m]
    if iou is not None:
        values = values[np.isclose(params.iouThrs, iou)]
    values = values[values > -1]
    return values.mean() if values.size else np.nan


def close(one, other):
    return one == pytest.approx(other, rel=0, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize('seed', SEEDS)
def test_whole_set_as_coco_says(seed):
    run = coco_run(make_data(seed))
    matches = Matches.of(run)
    assert close(average_precision(matches, ALL), run.stats[0])
    for place, options in enumerate(
        [
            {'iou': 0.5},
            {'iou': 0.75},
            {'area': 'small'},
            {'area': 'medium'},
            {'area': 'large'},
        ],
        1,
    ):
        got = average_precision(matches, ALL, **options)
        assert close(got, nan_for_none(run.stats[place])), options
    assert run.stats[0] > 0.05  # something is found


@pytest.mark.parametrize('seed', SEEDS)
def test_detections_beyond_the_most(seed):
    run = coco_run(make_data(seed), maxDets=[1, 2, 100])
    matches = Matches.of(run)
    seen = set()
    for iou in (None, 0.5, 0.9):
        for area in run.params.areaRngLbl:
            for most in (1, 2, 100):
                expected = of_precision(run, iou, area, most)
                got = average_precision(matches, ALL, iou, area, most)
                assert close(got, expected), (iou, area, most)
                seen.add(expected)
    assert len(seen) > 12


def test_what_was_not_judged_is_not_a_number():
    matches = Matches.of(coco_run(make_data(0), maxDets=[1, 10, 50]))
    assert np.isnan(average_precision(matches, ALL))
    assert np.isnan(average_precision(matches, ALL, area='tiny', max_dets=10))
    assert np.isnan(average_precision(matches, ALL, iou=0.1, max_dets=10))


@pytest.mark.parametrize('seed', SEEDS)
def test_a_part_of_the_images(seed):
    data = make_data(seed)
    matches = Matches.of(coco_run(data))
    for part in (ALL * (np.arange(IMAGES) < 5), np.arange(IMAGES) % 2):
        expected = coco_run(data, part).stats[0]
        assert close(average_precision(matches, part), expected)
        # a mask does as well
        assert close(average_precision(matches, part > 0), expected)
    # every fourth image has no annotation, and none has no AP
    empty = (np.arange(IMAGES) % 4 == 3).astype(int)
    assert np.isnan(average_precision(matches, empty))
    assert np.isnan(average_precision(matches, 0 * ALL))


@pytest.mark.parametrize('seed', SEEDS)
def test_images_drawn_several_times(seed):
    """The same images, there so many times, matched by COCOeval itself."""
    data = make_data(seed)
    matches = Matches.of(coco_run(data))
    draws = resamples(IMAGES, 6, seed)
    assert draws.max() > 2 and (draws.sum(axis=1) == IMAGES).all()
    got = average_precision(matches, draws)
    assert got.shape == (6,)
    for one, weights in zip(got, draws, strict=True):
        assert close(one, nan_for_none(coco_run(data, weights).stats[0]))
    small = average_precision(matches, draws, area='small')
    for one, weights in zip(small, draws, strict=True):
        assert close(one, nan_for_none(coco_run(data, weights).stats[3]))


def test_draws_in_blocks_are_the_same(monkeypatch):
    matches = Matches.of(coco_run(make_data(1)))
    draws = resamples(IMAGES, 9, 0)
    whole = average_precision(matches, draws)
    own = average_precision.__globals__
    assert len(matches.image) * 9 < own['BLOCK']
    monkeypatch.setitem(own, 'BLOCK', len(matches.image))
    assert np.array_equal(average_precision(matches, draws), whole)


def test_resampled_starts_with_all_images():
    matches = Matches.of(coco_run(make_data(2)))
    found = resampled(matches, 3)
    assert found.values[0] == average_precision(matches, ALL)
    again = average_precision(matches, resamples(IMAGES, 3))
    assert np.array_equal(found.values[1:], again)


def test_matches_survive_json():
    matches = Matches.of(coco_run(make_data(3)))
    again = Matches.from_dict(json.loads(json.dumps(matches.to_dict())))
    assert again.identity == matches.identity
    assert again.image_ids == matches.image_ids
    draws = resamples(IMAGES, 5)
    assert np.array_equal(
        average_precision(again, draws), average_precision(matches, draws)
    )


def test_identity_is_that_of_the_annotations():
    data = make_data(0)
    one, fewer = coco_run(data), coco_run((data[0], data[1][:-1]))
    assert Matches.of(one).identity == Matches.of(fewer).identity
    others = [entry for entry in data[0] if entry['id'] != 2]
    other = coco_run((others, data[1]))
    assert Matches.of(one).identity != Matches.of(other).identity


@pytest.mark.parametrize(
    'field, value',
    [
        ('image', {'shape': [1], 'data': 'eJxjYGBgAAAABAAB'}),
        ('image', {'shape': [1], 'data': '!'}),
        ('rank', 3),
        ('rank', {'data': ''}),
        ('truths', {'shape': [-7, 2], 'data': 'eJwDAAAAAAE='}),
        ('starts', {'shape': [0], 'data': 'eJwDAAAAAAE='}),
        ('image_ids', [1]),
        ('max_dets', ['x']),
        ('found', None),
        ('areas', []),
    ],
)
def test_damaged_matches_are_refused(field, value):
    data = Matches.of(coco_run(make_data(0))).to_dict()
    with pytest.raises(DataError, match='not the matches of a run'):
        Matches.from_dict({**data, field: value})
    with pytest.raises(DataError, match='not the matches of a run'):
        Matches.from_dict({k: v for k, v in data.items() if k != field})
    with pytest.raises(DataError):
        Matches.from_dict('nothing')
