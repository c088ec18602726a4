"""Groups are the oracle's; the loss never rises."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from igq_mmdet.calibration import fit_groups
from tests import oracle

value = st.floats(-100, 100, width=32)
points = st.lists(
    st.tuples(value, value).map(lambda p: (min(p), max(p))),
    min_size=1,
    max_size=40,
)
groups = st.integers(1, 9)


def fit(points, groups, weights=None, m_step='mean'):
    lower, upper = torch.tensor(points).double().T
    if weights is not None:
        weights = torch.tensor(weights)
    return fit_groups(lower, upper, groups, weights, m_step)


@given(points, groups)
@example([(0.0, 1.0)] * 9, 4)
@example([(1e6, 1e6 + 1)] * 5 + [(-1.0, 0.0)] * 6, 3)
def test_equals_the_oracle(points, groups):
    found = fit(points, groups)
    centres, losses = oracle.kmeans(points, groups)
    expected = torch.tensor(centres).double()
    torch.testing.assert_close(found.lower, expected[:, 0])
    torch.testing.assert_close(found.upper, expected[:, 1])
    assert len(found.losses) == len(losses)
    assert found.losses == pytest.approx(losses, rel=1e-9, abs=1e-9)
    assert (found.lower <= found.upper + 1e-9).all()


@given(
    st.dictionaries(
        st.floats(0, 1, width=32), st.integers(1, 5000), min_size=1
    ),
    groups,
)
@example({0.25: 5000, 0.5: 1, 0.75: 1, 1.0: 1}, 3)
def test_weights_equal_the_oracle(maxima, groups):
    points, weights = [(0.0, m) for m in maxima], list(maxima.values())
    found = fit(points, groups, weights)
    centres, losses = oracle.kmeans(points, groups, weights)
    assert (found.lower == 0).all()
    upper = torch.tensor([c[1] for c in centres]).double()
    torch.testing.assert_close(found.upper, upper)
    assert found.losses == pytest.approx(losses, rel=1e-9, abs=1e-12)


@given(points, groups)
def test_loss_never_rises_and_is_that_of_the_groups(points, groups):
    found = fit(points, groups)
    for before, after in zip(found.losses, found.losses[1:], strict=False):
        assert after <= before * (1 + 1e-12) + 1e-300
    lower, upper = torch.tensor(points).double().T
    distance = (lower[:, None] - found.lower) ** 2
    distance += (upper[:, None] - found.upper) ** 2
    total = distance.amin(1).sum().item()
    assert total <= found.losses[-1] * (1 + 1e-9) + 1e-9


@given(points, st.integers(0, 3))
def test_a_group_a_point_is_exact(points, more):
    found = fit(points, len(points) + more)
    centres = set(zip(found.lower.tolist(), found.upper.tolist(), strict=True))
    assert centres == set(points)
    assert found.losses == (0.0,)


@given(points, groups)
def test_one_group_is_the_mean(points, groups):
    found = fit(points, 1)
    mean = torch.tensor(points).double().mean(0)
    assert found.lower.item() == pytest.approx(mean[0].item(), abs=1e-9)
    assert found.upper.item() == pytest.approx(mean[1].item(), abs=1e-9)


@given(points, groups, st.randoms())
def test_the_order_of_points_does_not_matter(points, groups, random):
    shuffled = list(points)
    random.shuffle(shuffled)
    one, two = fit(points, groups), fit(shuffled, groups)
    assert torch.equal(one.lower, two.lower)
    assert torch.equal(one.upper, two.upper)


@given(points, groups)
def test_a_weight_is_a_repetition(points, groups):
    """Up to the start, weights stand for copies: compare one group."""
    twice = fit(points + points, 1)
    weighted = fit(points, 1, [2] * len(points))
    torch.testing.assert_close(twice.lower, weighted.lower)
    torch.testing.assert_close(twice.upper, weighted.upper)


def test_envelope_holds_its_points():
    found = fit([(0.0, 1.0), (-0.5, 1.5), (-9.0, 9.0)], 2, m_step='envelope')
    assert found.lower.tolist() == [-0.5, -9.0]
    assert found.upper.tolist() == [1.5, 9.0]


def test_heavy_points_leave_no_group_at_the_origin():
    """Cut by weight, group 1 of 3 starts empty; it goes where it helps."""
    maxima, weights = [(0.0, m) for m in (5.0, 6.0, 7.0, 8.0)], [9999, 1, 1, 1]
    found = fit(maxima, 3, weights)
    assert found.upper.min() >= 5


def test_bad_calls():
    empty = torch.zeros(0)
    with pytest.raises(ValueError, match='no points'):
        fit_groups(empty, empty, 2)
    with pytest.raises(ValueError, match="got 'median'"):
        fit([(0.0, 1.0)], 1, m_step='median')
