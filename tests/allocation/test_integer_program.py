"""The integer program against exhaustive search.

HiGHS stops at a gap of 1e-6 of the largest loss, which is 10 here.
"""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from igq_mmdet.allocation.integer_program import choose_groups

CANDIDATES = (4, 8, 12, 24)

values = st.lists(st.floats(0, 10, allow_nan=False), min_size=4, max_size=4)
prices = st.lists(st.integers(1, 10**12), min_size=4, max_size=4)


def brute_force(loss, cost, budget):
    best = None
    for choice in itertools.product(CANDIDATES, repeat=len(loss)):
        picked = dict(zip(loss, choice, strict=True))
        if sum(cost[name][g] for name, g in picked.items()) > budget:
            continue
        total = sum(loss[name][g] for name, g in picked.items())
        if best is None or total < best:
            best = total
    return best


def tables(losses, costs):
    names = [f'layer{i}' for i in range(len(losses))]
    return tuple(
        {
            name: dict(zip(CANDIDATES, row, strict=True))
            for name, row in zip(names, rows, strict=True)
        }
        for rows in (losses, costs)
    )


@settings(deadline=None, max_examples=60)
@given(
    st.integers(1, 4).flatmap(
        lambda n: st.tuples(
            st.lists(values, min_size=n, max_size=n),
            st.lists(prices, min_size=n, max_size=n),
        )
    ),
    st.floats(0, 1),
)
def test_equals_exhaustive_search(rows, share):
    loss, cost = tables(*rows)
    low = sum(min(row.values()) for row in cost.values())
    high = sum(max(row.values()) for row in cost.values())
    budget = low + int(share * (high - low))
    chosen = choose_groups(loss, cost, budget)
    assert sum(cost[name][g] for name, g in chosen.items()) <= budget
    found = sum(loss[name][g] for name, g in chosen.items())
    assert found == pytest.approx(brute_force(loss, cost, budget), abs=2e-5)


def test_the_target_everywhere_is_always_within_its_own_budget():
    cost = {f'l{i}': {4: 10.1 * i + 3, 8: 20.7 * i + 7} for i in range(9)}
    loss = {name: {4: 0.5, 8: 0.1} for name in cost}
    budget = sum(row[8] for row in cost.values())
    assert set(choose_groups(loss, cost, budget).values()) == {8}


def test_no_choice_within_the_budget():
    with pytest.raises(ValueError, match='within the budget'):
        choose_groups({'a': {4: 1.0}}, {'a': {4: 5.0}}, 4.0)


def test_nothing_to_choose():
    assert choose_groups({}, {}, 0.0) == {}
