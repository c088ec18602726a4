from benchmarks.timing import alternate, summarise


def test_steps_take_turns_and_the_first_round_is_not_counted():
    calls = []
    ticks = iter(range(100))
    seconds = alternate(
        {'a': lambda: calls.append('a'), 'b': lambda: calls.append('b')},
        2,
        lambda: next(ticks),
    )
    assert calls == ['a', 'b'] * 3
    assert seconds == {'a': [1, 1], 'b': [1, 1]}


def test_ratios_are_taken_within_a_round():
    found = summarise({'a': [2.0, 20.0, 4.0], 'b': [1.0, 10.0, 4.0]}, 'a')
    assert found['b']['times_faster'] == 2.0
    assert found['b']['median'] == 4.0
    assert found['a']['fastest'] == 2.0 and found['a']['slowest'] == 20.0


def test_what_takes_no_time_has_no_ratio():
    found = summarise({'a': [2.0, 2.0], 'b': [0.0, 0.0]}, 'a')
    assert found['b']['times_faster'] is None
    assert found['a']['times_faster'] == 1.0
