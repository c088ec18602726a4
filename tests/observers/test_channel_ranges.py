"""Ranges of channels: exact while few, in cells of a bounded number after."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from igq_mmdet.fitting.kmeans import fit_groups
from igq_mmdet.methods.igq_integral import fit_integral
from igq_mmdet.observers.channel_means import ChannelMeans
from igq_mmdet.observers.channel_ranges import ChannelRanges


class Few(ChannelRanges):
    LIMIT = 8


def seen(cls, images):
    observer = cls('fc')
    for image in images:
        observer.update(image)
    return observer


def content(observer):
    return sorted(zip(*(t.tolist() for t in observer.points()), strict=True))


def test_they_are_those_of_every_image(rand):
    images = [rand(5, 3), rand(1, 3), rand(0, 3)]
    lower, upper, counts = seen(ChannelRanges, images).points()
    expected = [
        (min(column), max(column))
        for image in images[:2]
        for column in image.T.tolist()
    ]
    assert list(zip(lower.tolist(), upper.tolist(), strict=True)) == expected
    assert counts.tolist() == [1] * 6


value = st.floats(-(2.0**120), 2.0**120, width=32)
near = st.floats(-4, 4, width=32)


@given(
    st.lists(
        st.lists(st.one_of(near, value), min_size=6, max_size=6),
        min_size=1,
        max_size=12,
    ),
    st.data(),
)
def test_cells_do_not_depend_on_the_order(rows, data):
    images = [torch.tensor(row).view(2, 3) for row in rows]
    whole = seen(Few, images)
    order = data.draw(st.permutations(images))
    cut = data.draw(st.integers(0, len(order)))
    one, two = seen(Few, order[:cut]), seen(Few, order[cut:])
    before = content(two) if cut < len(order) else None
    one.merge(two)
    assert content(one) == content(whole)
    if before is not None:  # the other is left as it was
        assert content(two) == before
    lower, upper, counts = whole.points()
    assert counts.sum() == 3 * len(images)
    assert (lower <= upper).all()
    if len(images) * 3 > Few.LIMIT:
        assert len(lower) <= Few.LIMIT


def test_points_lie_within_half_a_cell(rand):
    images = [rand(4, 50) for _ in range(40)]
    exact = seen(ChannelRanges, images).points()

    class Some(ChannelRanges):
        LIMIT = 500

    observer = seen(Some, images)
    lower, upper, counts = observer.points()
    assert len(lower) <= 500 < counts.sum() == 2000
    cells = torch.stack([lower, upper], 1)
    points = torch.stack(exact[:2], 1)
    apart = (points[:, None] - cells).abs().amax(-1).amin(1)
    assert apart.max() <= 2.0**observer._exponent / 2 * (1 + 1e-6)
    # the width is the finest that fits
    finer = torch.floor(points.double() / 2.0 ** (observer._exponent - 1))
    assert len(finer.unique(dim=0)) > 500
    # and groups come out as from the points themselves
    ours = fit_groups(lower, upper, 8, counts)
    theirs = fit_groups(*exact[:2], 8)
    width = float((theirs.upper - theirs.lower).amax())
    torch.testing.assert_close(
        ours.upper, theirs.upper, rtol=0, atol=0.05 * width
    )


def test_counts_weigh_integral_groups_like_repeated_points(rand):
    lower, upper = -rand(60).abs(), rand(60).abs() + 0.1
    often = torch.arange(60) % 4 + 1
    counted = fit_integral(lower, upper, 4, 4, weights=often)
    repeated = fit_integral(
        lower.repeat_interleave(often), upper.repeat_interleave(often), 4, 4
    )
    plain = fit_integral(lower, upper, 4, 4)
    for ours, theirs in zip(counted, repeated, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-6)
    assert not torch.equal(counted[1], plain[1])


@pytest.mark.parametrize('cls', [ChannelRanges, ChannelMeans])
def test_memory_has_a_bound(cls, rand):
    def size(observer):
        tensors = list(observer._points) if cls is ChannelRanges else []
        tensors += [t for t in vars(observer).values() if torch.is_tensor(t)]
        return sum(t.numel() * t.element_size() for t in tensors)

    observer = cls('fc')
    sizes = []
    for _ in range(60):
        observer.update(rand(2, 4096))
        sizes.append(size(observer))
    assert max(sizes) <= ChannelRanges.LIMIT * 16 + 4096 * 24
    assert max(sizes[20:]) <= 1.05 * max(sizes[:20])


def test_means_and_extremes(rand):
    images = [rand(5, 3), rand(0, 3), rand(2, 3)]
    one, two = seen(ChannelMeans, images[:1]), seen(ChannelMeans, images[1:])
    one.merge(two)
    one.merge(ChannelMeans('fc'))
    low = torch.stack([images[0].amin(0), images[2].amin(0)])
    high = torch.stack([images[0].amax(0), images[2].amax(0)])
    means = torch.stack([low.double().mean(0), high.double().mean(0)])
    assert torch.equal(one.means(), means)
    extremes = torch.stack([low.amin(0), high.amax(0)])
    assert torch.equal(one.extremes(), extremes)


def test_means_do_not_depend_on_the_order(rand):
    images = [rand(4, 20) for _ in range(30)]
    forward, backward = ChannelMeans('fc'), ChannelMeans('fc')
    for one, other in zip(images, images[::-1], strict=True):
        forward.update(one)
        backward.update(other)
    assert torch.equal(forward.means(), backward.means())
    assert torch.equal(forward.extremes(), backward.extremes())
