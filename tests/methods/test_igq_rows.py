"""Softmax rows take the nearest maximum, each alone."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from igq_mmdet.methods.igq import RowGroupQuantizer, group_edges
from igq_mmdet.methods.layerwise import StaticQuantizer
from igq_mmdet.methods.upper_bound import RowBoundQuantizer
from igq_mmdet.quantizers import quantize
from tests import oracle

unit = st.floats(0, 1, width=32)


def make(uppers, bits):
    uppers = torch.tensor(uppers)
    quantizer = RowGroupQuantizer(bits, len(uppers))
    quantizer.set_bounds(torch.zeros_like(uppers), uppers)
    return quantizer


@given(
    st.integers(1, 6).flatmap(
        lambda k: st.lists(
            st.lists(unit, min_size=k, max_size=k), min_size=1, max_size=8
        )
    ),
    st.lists(unit, min_size=1, max_size=6, unique=True).map(sorted),
    st.integers(2, 8),
)
@example([[0.25], [0.5]], [0.0, 0.5, 1.0], 4)  # true ties
def test_equals_the_oracle(rows, uppers, bits):
    quantizer, x = make(uppers, bits), torch.tensor(rows)
    assigned, codes, values = oracle.row_groups(x.tolist(), uppers, bits)
    groups = quantizer.assign(x)
    assert groups.tolist() == assigned
    pair = quantizer.scale[groups][:, None], quantizer.zero_point[groups]
    assert quantize(x, pair[0], pair[1][:, None], bits).tolist() == codes
    out = quantizer(x)
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out.double(), torch.tensor(values).double())


@given(st.lists(unit, min_size=1, max_size=8), unit)
def test_any_order_and_equal_groups(uppers, maximum):
    """The distance is the least, however the groups lie."""
    quantizer = make(uppers, 4)
    group = quantizer.assign(torch.tensor([[maximum]])).item()
    distances = [abs(maximum - upper) for upper in uppers]
    assert distances[group] == min(distances)


def test_lower_of_two_equally_near_wins():
    quantizer = make([0.75, 0.25], 4)
    assert quantizer.assign(torch.tensor([[0.5], [0.5001]])).tolist() == [1, 0]


def test_edges_are_never_above_the_midpoint():
    upper = torch.tensor([1.0, 1.0 + 2**-23, 1.0 + 3 * 2**-23])
    _, edges = group_edges(upper)
    exact = (upper[1:].double() + upper[:-1].double()) / 2
    assert (edges.double() <= exact).all()
    assert (torch.nextafter(edges, torch.ones(2) * 2).double() > exact).all()


@given(st.lists(unit, min_size=2, max_size=20), st.integers(2, 8), unit)
def test_one_group_is_layerwise(row, bits, upper):
    layerwise = StaticQuantizer(bits, nonnegative=True)
    layerwise.set_bounds(torch.zeros(1), torch.tensor([upper]))
    x = torch.tensor([row])
    assert torch.equal(make([upper], bits)(x), layerwise(x))


@given(st.lists(unit, min_size=1, max_size=9), st.integers(2, 8))
def test_bound_is_a_group_a_row(row, bits):
    x = torch.tensor([row, row[::-1]])
    bound = RowBoundQuantizer(bits)
    bound.refresh()
    assert torch.equal(bound(x), make([max(row)], bits)(x))


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64])
def test_moves_with_its_module(dtype):
    quantizer = make([0.25, 0.75], 4).to(dtype)
    x = torch.tensor([[0.2, 0.1], [0.9, 0.0]], dtype=dtype)
    assert quantizer.assign(x).tolist() == [0, 1]
    assert quantizer(x).dtype == dtype


def test_no_rows():
    assert make([0.5, 1.0], 4)(torch.zeros(0, 49)).shape == (0, 49)
