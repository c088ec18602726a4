"""Ranges fitted to bits, against loops and grids."""

import math

import pytest
import torch

from igq_mmdet.fitting.expected_error import (
    MARGIN,
    SHARE,
    error_edges,
    expected_error,
    fit_ranges,
)


def slow_error(low, high, group_low, group_high, bits):
    """What one channel loses in one group."""
    step = (group_high - group_low) / (2**bits - 1)
    cut = max(high - group_high, 0) ** 2 + max(group_low - low, 0) ** 2
    return step**2 / 12 + SHARE * cut


def points(rand, count):
    values = rand(count, 2)
    return -values[:, 0].abs(), values[:, 1].abs()


@pytest.mark.parametrize('bits', [2, 4, 8])
def test_errors_equal_a_loop(rand, bits):
    lower, upper = points(rand, 9)
    groups = points(rand, 4)
    found = expected_error(lower, upper, *groups, bits)
    for c in range(9):
        for g in range(4):
            channel = float(lower[c]), float(upper[c])
            group = float(groups[0][g]), float(groups[1][g])
            expected = slow_error(*channel, *group, bits)
            assert float(found[c, g]) == pytest.approx(expected)


@pytest.mark.parametrize('bits', [2, 3, 4, 8])
def test_one_group_is_the_best_of_a_grid(rand, bits):
    lower, upper = points(rand, 30)
    often = torch.arange(30) % 3 + 1
    found = fit_ranges(lower, upper, 1, bits, often, margin=0.0)

    def loss(low, high):
        each = zip(lower.tolist(), upper.tolist(), often.tolist(), strict=True)
        return sum(n * slow_error(a, b, low, high, bits) for a, b, n in each)

    best = loss(float(found.lower), float(found.upper))
    low, high = float(lower.min()), float(upper.max())
    for i in range(1, 41):
        for j in range(1, 41):
            assert best <= loss(low * i / 40, high * j / 40) * (1 + 1e-9)
    assert found.losses[-1] == pytest.approx(best)


@pytest.mark.parametrize('groups', [1, 3, 8])
@pytest.mark.parametrize('bits', [2, 4, 8])
def test_losses_never_rise_and_beat_the_mean(rand, groups, bits):
    lower, upper = points(rand, 100)
    found = fit_ranges(lower, upper, groups, bits)
    assert list(found.losses) == sorted(found.losses, reverse=True)
    assert found.losses[-1] < found.losses[0]  # of k-means
    span = found.upper - found.lower
    assert torch.equal(span, span.sort().values) and (span >= 0).all()


def test_more_bits_cut_less_off(rand):
    lower, upper = points(rand, 50)
    spans = [
        float(g.upper - g.lower)
        for g in (fit_ranges(lower, upper, 1, bits) for bits in range(2, 9))
    ]
    assert spans == sorted(spans)
    whole = float((upper + MARGIN * (upper - lower)).max())
    whole -= float((lower - MARGIN * (upper - lower)).min())
    assert 0.9 * whole < spans[-1] <= whole


def test_few_points_and_constants(rand):
    lower, upper = torch.tensor([1.0, -2.0]), torch.tensor([1.0, 3.0])
    found = fit_ranges(lower, upper, 5, 4, margin=0.0)
    assert torch.isfinite(found.lower).all() and len(found.lower) == 5
    alone = fit_ranges(lower[:1], upper[:1], 2, 4)
    assert torch.allclose(alone.lower, torch.ones(2).double())
    assert torch.allclose(alone.upper, torch.ones(2).double())


@pytest.mark.parametrize('bits', [2, 3, 4, 8])
def test_edges_decide_as_errors_do(rand, bits):
    for count in (1, 2, 7, 24):
        upper = rand(count).abs() + 1e-3
        upper[-1] = upper[0]  # one twice
        order, edges = error_edges(upper, bits)
        assert torch.equal(edges, edges.sort().values)
        rows = torch.linspace(0, float(upper.max()) * 1.2, 4000)
        found = order[torch.bucketize(rows, edges)]
        zero = torch.zeros_like(upper)
        error = expected_error(torch.zeros_like(rows), rows, zero, upper, bits)
        least = error.min(1).values
        own = error.gather(1, found[:, None])[:, 0]
        # next to an edge, which is float32, both lose the same
        assert ((own - least) <= 1e-5 * least + 1e-12).all()
    assert math.isinf(float(error_edges(torch.ones(2), bits)[1]))
