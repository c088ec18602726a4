"""Statistics are exact, and merging them is, in any order."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from igq_mmdet.errors import CalibrationError
from igq_mmdet.observers import (
    ChannelHistogram,
    ChannelMeans,
    ChannelRanges,
    Histogram,
    Presence,
    RowMaxima,
)

KINDS = (
    ChannelHistogram,
    ChannelMeans,
    ChannelRanges,
    Histogram,
    Presence,
    RowMaxima,
)


def batch_of(limit):
    # float32 cannot hold a value below 2**-126 of the widest bin
    value = st.floats(-limit, limit, width=32).map(
        lambda x: x if abs(x) > 2**-50 else 0.0
    )
    values = st.lists(value, min_size=2, max_size=6)
    return values.map(lambda values: torch.tensor(values)[:, None])


batch = st.one_of(batch_of(2.0**60), batch_of(4.0))
batches = st.lists(batch, min_size=1, max_size=5)


def seen(kind, batches):
    observer = kind('fc')
    for x in batches:
        observer.update(x)
    return observer


def content(observer):
    """What the observer hands on, comparable."""
    if isinstance(observer, Histogram):
        return [t.tolist() for t in observer.values()]
    if isinstance(observer, ChannelRanges):
        return sorted(
            zip(*(t.tolist() for t in observer.points()), strict=True)
        )
    return [t.tolist() for t in observer.points()]


@pytest.mark.parametrize('kind', [Histogram, ChannelRanges, RowMaxima])
@given(batches, st.data())
def test_merging_is_exact_in_any_order(kind, batches, data):
    whole = content(seen(kind, batches))
    order = data.draw(st.permutations(batches))
    cut = data.draw(st.integers(0, len(order)))
    one, two = seen(kind, order[:cut]), seen(kind, order[cut:])
    before = copy.deepcopy(two)
    one.merge(two)
    assert content(one) == whole
    if cut < len(order):  # the other is left as it was
        assert content(two) == content(before)


@given(batches)
def test_histogram_against_plain_counting(batches):
    histogram = seen(Histogram, batches)
    every = torch.cat(batches).flatten().tolist()
    centres, counts = histogram.values()
    assert counts.sum() == len(every)
    assert (centres[1:] >= centres[:-1]).all() and (counts > 0).all()
    assert (centres[0], centres[-1]) == (min(every), max(every))
    width = 2.0**histogram.exponent
    for x in every:  # each value lies within half a bin of a centre
        assert (centres - x).abs().min() <= width / 2 * (1 + 1e-6)
    expected = {}
    for x in every:
        index = int(x // width) + Histogram.BINS // 2
        expected[index] = expected.get(index, 0) + 1
    filled = histogram.counts.nonzero()[:, 0].tolist()
    assert {i: histogram.counts[i].item() for i in filled} == expected


def test_histogram_doubles_its_bins():
    histogram = Histogram('fc')
    histogram.update(torch.zeros(3))
    fine = histogram.exponent
    histogram.update(torch.tensor([1.0, -1.0]))
    first = histogram.exponent
    histogram.update(torch.tensor([7.9]))
    assert fine < first < histogram.exponent == first + 2
    assert histogram.counts.sum() == 6
    # fine enough for the 99.999th percentile of what it covers
    assert 7.9 / 2.0**histogram.exponent > Histogram.BINS / 4


def test_a_tiny_range_far_from_0_keeps_its_ends():
    x = torch.tensor([1e6, 1e6 + 1, 1e6 + 20])
    values, counts = seen(Histogram, [x]).values()
    assert (values[0], values[-1]) == (1e6, 1e6 + 20)
    assert counts.sum() == 3


@given(st.lists(st.floats(2.0**-60, 1, width=32), min_size=1, max_size=30))
def test_row_maxima_are_within_their_rounding(maxima):
    x = torch.tensor(maxima)[:, None] * torch.tensor([[1.0, 0.5]])
    values, counts = seen(RowMaxima, [x]).points()
    assert counts.sum() == len(maxima)
    expected = torch.tensor(sorted(maxima))
    found = values.repeat_interleave(counts)
    torch.testing.assert_close(
        found, expected, rtol=2.0 ** -(RowMaxima.MANTISSA + 1), atol=0
    )


def test_row_maxima_take_little_memory():
    observer = RowMaxima('softmax')
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        observer.update(torch.rand(20000, 2, generator=generator))
    values, counts = observer.points()
    assert counts.sum() == 60000 and len(values) < 10000


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('bad', [float('nan'), float('inf'), -float('inf')])
def test_nan_and_infinity_name_the_layer(kind, bad):
    x = torch.tensor([[1.0, 2.0], [bad, bad]])
    with pytest.raises(CalibrationError, match='NaN or infinity at fc'):
        seen(kind, [x])


@pytest.mark.parametrize('kind', KINDS)
def test_nothing_seen_names_the_layer(kind):
    observer = seen(kind, [torch.zeros(0, 4)])
    observer.merge(seen(kind, []))
    ask = {
        Presence: 'require',
        Histogram: 'values',
        ChannelHistogram: 'values',
        ChannelMeans: 'means',
    }.get(kind, 'points')
    with pytest.raises(CalibrationError, match='^fc saw no data'):
        getattr(observer, ask)()


def test_presence():
    observer = seen(Presence, [torch.zeros(0, 4)])
    observer.merge(seen(Presence, [torch.ones(1, 4)]))
    assert isinstance(observer, Presence)
    observer.require()
