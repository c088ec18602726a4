"""Counts of channels are exact, whatever the order of images."""

import copy

import torch
from hypothesis import example, given
from hypothesis import strategies as st

from igq_mmdet.observers.channel_histogram import ChannelHistogram

value = st.floats(-(2.0**20), 2.0**20, width=32).map(
    lambda x: x if abs(x) > 2**-50 else 0.0
)
image = st.lists(
    st.tuples(value, value.map(lambda x: x / 2**18 + 1000)),
    min_size=1,
    max_size=6,
).map(torch.tensor)
images = st.lists(image, min_size=1, max_size=5)


def seen(images):
    histogram = ChannelHistogram('fc')
    for x in images:
        histogram.update(x)
    return histogram


def content(histogram):
    values, counts = histogram.values()
    return [
        [(v, c) for v, c in zip(*row, strict=True) if c]
        for row in zip(values.tolist(), counts.tolist(), strict=True)
    ]


@given(images, st.data())
def test_merging_is_exact_in_any_order(images, data):
    order = data.draw(st.permutations(images))
    cut = data.draw(st.integers(0, len(order)))
    one, two = seen(order[:cut]), seen(order[cut:])
    before = copy.deepcopy(two)
    one.merge(two)
    assert content(one) == content(seen(images))
    if cut < len(order):  # the other is left as it was
        assert content(two) == content(before)


@given(images)
@example([torch.tensor([[-0.25, 1000]]), torch.tensor([[0.0, 1000]])])
@example([torch.tensor([[0, 1000.0002]]), torch.tensor([[0.0, 1000]])])
def test_each_value_is_near_a_centre_and_the_extremes_are_exact(images):
    every = torch.cat(images)
    for channel, found in zip(every.T, content(seen(images)), strict=True):
        assert sum(count for _, count in found) == len(channel)
        centres = torch.tensor([centre for centre, _ in found]).double()
        assert (centres[1:] > centres[:-1]).all()
        assert centres[-1] == channel.max().double()
        if len(centres) > 1:
            assert centres[0] == channel.min().double()
        # a bin is at most 1/256 of the span, or as fine as float32 goes
        span = (channel.max().double() - channel.min().double()).item()
        finest = channel.abs().max().item() * 2.0**-20
        width = max(span / 256, finest, 2.0**-99)
        off = (channel.double()[:, None] - centres).abs().amin(1)
        assert (off <= width).all()


def test_a_tiny_range_far_from_0_still_has_many_bins():
    x = torch.linspace(1000, 1001, 4097)[:, None]
    found = content(seen([x]))[0]
    assert len(found) > ChannelHistogram.BINS / 4
