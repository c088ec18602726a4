"""Static bounds are the oracle's."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from igq_mmdet import QuantSpec
from igq_mmdet.calibration import fit_static
from igq_mmdet.observers.observers import Histogram
from tests import oracle

PERCENTS = QuantSpec().static_percentiles


@given(
    st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=60),
    st.integers(2, 8),
    st.booleans(),
    st.booleans(),
)
def test_equals_the_oracle(xs, bits, nonnegative, strict):
    if nonnegative:
        xs = [abs(x) for x in xs]
    values, counts = torch.tensor(xs).unique(return_counts=True)
    lower, upper = fit_static(
        values, counts, bits, PERCENTS, nonnegative, strict
    )
    expected = oracle.static_bounds(xs, bits, PERCENTS, nonnegative, strict)
    assert (lower.item(), upper.item()) == expected


@pytest.mark.parametrize('outlier', [0.0, 50.0, 1e4])
def test_outliers_are_cut_off_where_that_pays(rand, outlier):
    x = rand(20000, 1).flatten()
    x[7] = outlier
    values, counts = x.unique(return_counts=True)
    expected = oracle.static_bounds(x.tolist(), 4, PERCENTS)
    lower, upper = fit_static(values, counts, 4, PERCENTS)
    assert (lower.item(), upper.item()) == expected
    histogram = Histogram('conv')
    histogram.update(x)
    near = [b.item() for b in fit_static(*histogram.values(), 4, PERCENTS)]
    step = 2.0**histogram.exponent
    assert near == pytest.approx(expected, abs=step)


def test_constant_far_from_0():
    histogram = Histogram('conv')
    histogram.update(torch.full((9,), -1e6))
    lower, upper = fit_static(*histogram.values(), 4, PERCENTS)
    assert lower.item() == upper.item() == -1e6
