"""Intervals on cases whose answer is known."""

import json

import numpy as np
import pytest

pytest.importorskip('pycocotools')

from igq_mmdet.errors import DataError
from igq_mmdet.report.differences import (
    Difference,
    ImageValues,
    Matches,
    Resampled,
    difference,
    resampled,
)

from .conftest import coco_run, make_data


def of_values(values, count=500):
    return resampled(ImageValues('set', np.asarray(values, float)), count)


def of_run(annotations, found):
    return resampled(Matches.of(coco_run((annotations, found))))


def test_two_equal_runs():
    data = make_data(0)
    off = difference({0: of_run(*data)}, {0: of_run(*data)})
    assert (off.mean, off.low, off.high) == (0, 0, 0)
    assert off.word == 'cannot tell' and off.spread is None
    assert off.text(100) == '+0.00 [+0.00, +0.00] cannot tell'


def test_one_image_changed():
    """One image never suffices: a third of the draws is without it."""
    annotations, found = make_data(0)
    images = [entry['image_id'] for entry in found]
    worst = max(set(images), key=images.count)
    moved = [
        {**entry, 'bbox': [500, 500, 20, 20]}
        if entry['image_id'] == worst
        else entry
        for entry in found
    ]
    off = difference(
        {0: of_run(annotations, moved)}, {0: of_run(annotations, found)}
    )
    assert off.mean < 0 and off.low < off.mean < off.high
    assert off.low <= 0 <= off.high and off.word == 'cannot tell'


def test_every_image_changed():
    annotations, found = make_data(0)
    nothing_right = [{**e, 'bbox': [500, 500, 20, 20]} for e in found]
    full, none = of_run(annotations, found), of_run(annotations, nothing_right)
    assert difference({0: full}, {0: none}).word == 'above'
    assert difference({0: none}, {0: full}).word == 'below'


def test_words_follow_the_interval():
    assert Difference(1, 0.1, 2).word == 'above'
    assert Difference(1, 0, 2).word == 'cannot tell'
    assert Difference(-1, -2, -0.1).word == 'below'
    assert Difference(-0.002, -0.004, 0.003, 3, 0.001).text(100) == (
        '-0.20 ± 0.10 [-0.40, +0.30] cannot tell'
    )
    assert Difference(-1e-9, -1e-9, 0).text().startswith('+0.00 [+0.00')
    one = Difference(1, 0, 2, 3, 0.5)
    assert Difference.from_dict(one.to_dict()) == one
    assert one.to_dict()['word'] == 'cannot tell'


def test_the_interval_is_paired():
    """What both share is no noise: runs a constant apart have no width."""
    draw = np.random.default_rng(0)
    values = draw.normal(0, 100, 40)
    off = difference({0: of_values(values + 1)}, {0: of_values(values)})
    assert off.low == pytest.approx(1) and off.high == pytest.approx(1)
    assert off.word == 'above'


def test_draws_are_the_same_every_time():
    values = np.random.default_rng(0).normal(0, 1, 30)
    one, other = (
        difference({0: of_values(values)}, {0: of_values(0 * values)})
        for _ in range(2)
    )
    assert one == other and one.low < one.mean < one.high


def test_draws_survive_json():
    found = of_values(np.random.default_rng(0).normal(0, 1, 30))
    again = Resampled.from_dict(json.loads(json.dumps(found.to_dict())))
    assert again.identity == found.identity and again.defined
    assert np.array_equal(again.values, found.values)
    assert not Resampled('set', np.array([np.nan, 1.0])).defined


def test_several_seeds():
    """Paired by seed; the interval is that of their mean."""
    draw = np.random.default_rng(0)
    base = {seed: draw.normal(0, 1, 30) for seed in range(4)}
    more = {0: 1.0, 1: 2.0, 3: 3.0, 5: 9.0}
    off = difference(
        {s: of_values(base.get(s, 0 * base[0]) + x) for s, x in more.items()},
        {s: of_values(x) for s, x in base.items()},
    )
    assert off.seeds == 3 and off.mean == pytest.approx(2)
    assert off.spread == pytest.approx(1)
    assert off.high - off.low < 1e-9
    # no seed in common
    for one in ({7: of_values(base[0])}, {}):
        with pytest.raises(DataError, match='no seed .* in common'):
            difference(one, {8: of_values(base[0])})


def test_float_stands_beside_every_seed():
    base = np.random.default_rng(0).normal(0, 1, 30)
    full = {None: of_values(base)}
    some = {s: of_values(base - s) for s in (1, 3)}
    off = difference(some, full)
    assert off.seeds == 2 and off.mean == pytest.approx(-2)
    assert difference(full, some).mean == pytest.approx(2)
    assert difference(full, full).seeds == 1


def test_other_images_are_refused():
    one = of_values(range(9))
    other = Resampled('other', one.values)
    with pytest.raises(DataError, match='different images'):
        difference({0: one}, {0: other})


def test_draws_without_a_figure_are_left_out():
    values = np.arange(9.0)
    one, zero = of_values(values), of_values(0 * values)
    one.values[1:5] = np.nan
    off = difference({0: one}, {0: zero})
    expected = np.percentile(one.values[5:], [2.5, 97.5])
    assert [off.low, off.high] == pytest.approx(expected)
    one.values[0] = np.nan
    with pytest.raises(DataError, match='nothing is annotated'):
        difference({0: one}, {0: zero})
