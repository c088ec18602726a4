"""Means over images, and what reports of classifiers hold of them."""

import numpy as np
import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.report.differences import (
    ImageValues,
    names_digest,
    pack_hits,
    unpack_hits,
)
from igq_mmdet.report.differences.resampling import resamples


def test_means_of_images_that_are_there_several_times():
    values = np.random.default_rng(0).normal(0, 1, 11)
    weights = resamples(11, 7, 3)
    got = ImageValues('set', values).statistic(weights)
    for one, row in zip(got, weights, strict=True):
        assert one == pytest.approx(np.repeat(values, row).mean())
    nothing = ImageValues('set', values).statistic(0 * weights[:1])
    assert np.isnan(nothing).all()


def test_many_images_go_in_blocks(monkeypatch):
    values = ImageValues('set', np.random.default_rng(0).normal(0, 1, 11))
    weights = resamples(11, 7)
    whole = values.statistic(weights)
    own = ImageValues.statistic.__globals__
    monkeypatch.setitem(own, 'BLOCK', 22)
    assert values.statistic(weights) == pytest.approx(whole)


@pytest.mark.parametrize('count', [1, 8, 13])
def test_hits_survive_a_report(count):
    hits = np.random.default_rng(count).random(count) < 0.5
    images = {'count': count, 'names': names_digest(map(str, range(count)))}
    found = unpack_hits({'top1': pack_hits(hits)}, images)['top1']
    assert np.array_equal(found.values, 100.0 * hits)
    assert found.identity == images['names'] and found.images == count


def test_names_tell_sets_apart():
    assert names_digest(['a', 'b']) != names_digest(['b', 'a'])
    assert names_digest(['a', 'b']) == names_digest(iter(['a', 'b']))


@pytest.mark.parametrize(
    'hits, images',
    [
        ({'top1': 'AA=='}, {'count': 9, 'names': 'x'}),
        ({'top1': '!'}, {'count': 8, 'names': 'x'}),
        ({'top1': 3}, {'count': 8, 'names': 'x'}),
        ({'top1': 'AA=='}, {'names': 'x'}),
        ({'top1': 'AA=='}, None),
        ('top1', {'count': 8, 'names': 'x'}),
        ({'top1': ''}, {'count': 0, 'names': 'x'}),
    ],
)
def test_damaged_hits_are_refused(hits, images):
    with pytest.raises(DataError, match='image by image is damaged'):
        unpack_hits(hits, images)
