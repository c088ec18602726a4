"""Times of things that take turns, so that a busy machine hits all alike."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

# of the machine, or of this process alone: on a machine that others use,
# only the second repeats
CLOCKS = {'wall': time.perf_counter, 'cpu': time.process_time}


def alternate(
    steps: Mapping[str, Callable[[], Any]],
    rounds: int,
    clock: Callable[[], float],
) -> dict[str, list[float]]:
    """Runs every step once a round, after one round that is not counted.

    Args:
        steps (Mapping[str, Callable]): By name.
        rounds (int): How often each is timed.
        clock (Callable): Of ``CLOCKS``.

    Returns:
        dict[str, list[float]]: Seconds by name, one a round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for number in range(rounds + 1):
        for name, step in steps.items():
            start = clock()
            step()
            taken = clock() - start
            if number:
                seconds[name].append(taken)
    return seconds


def summarise(
    seconds: Mapping[str, Sequence[float]], reference: str
) -> dict[str, dict[str, Any]]:
    """Medians, spread, and how many times faster than the reference.

    The ratio is the median of the ratios within a round, whose runs are
    neighbours in time; None for what took no time at all.

    Args:
        seconds (Mapping[str, Sequence[float]]): From :func:`alternate`.
        reference (str): One of its names.
    """
    base = seconds[reference]
    return {
        name: {
            'median': statistics.median(own),
            'fastest': min(own),
            'slowest': max(own),
            'times_faster': statistics.median(
                b / o for b, o in zip(base, own, strict=True)
            )
            if all(own)
            else None,
        }
        for name, own in seconds.items()
    }
