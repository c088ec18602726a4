"""One process works, or each does its share; all learn how it went."""

import datetime
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from mmengine.dist import (
    broadcast_object_list,
    gather_object,
    get_default_group,
    get_rank,
    is_distributed,
    is_main_process,
)
from torch.distributed import ProcessGroup, new_group
from torch.distributed.distributed_c10d import _set_pg_timeout

from ..errors import IGQError, RankError

T = TypeVar('T')

# A rank may wait for as long as another calibrates. That one is gone shows
# in its closed connection, not on the clock.
PATIENCE = datetime.timedelta(days=7)
# All processes have to be there sooner.
START = datetime.timedelta(seconds=300)


def waiting_group() -> ProcessGroup | None:
    """All ranks, joined by gloo so that they can wait without a limit.

    The first call is collective.

    Returns:
        ProcessGroup, optional: None in a single process.
    """
    if not is_distributed():
        return None
    return _waiting_group(get_default_group())


@lru_cache(maxsize=1)
def _waiting_group(default: ProcessGroup) -> ProcessGroup:
    group = new_group(backend='gloo', timeout=START)
    be_patient(group)
    return group


def be_patient(group: ProcessGroup) -> None:
    """Lets a group whose ranks have met wait without a limit.

    Args:
        group (ProcessGroup): Of any backend.
    """
    _set_pg_timeout(PATIENCE, group)


def on_main(work: Callable[[], T]) -> T:
    """Rank 0 works, every rank gets what came out, or the error.

    Args:
        work (Callable): Called on rank 0 only; its result is pickled.

    Returns:
        What ``work`` returned.

    Raises:
        IGQError: On every rank, as ``work`` raised it on rank 0.
        RankError: On the other ranks where it raised anything else.
    """
    group = waiting_group()
    if group is None:
        return work()
    outcome: list[Any] = [None]
    mine = None
    if is_main_process():
        mine, outcome[0] = _attempt(work)
    broadcast_object_list(outcome, group=group)
    if mine is not None:
        raise mine
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def on_every(work: Callable[[], T]) -> list[T]:
    """Every rank works, rank 0 gets what came out.

    Args:
        work (Callable): Called on every rank; its result is pickled.

    Returns:
        list: In order of rank; empty on the other ranks.

    Raises:
        IGQError: On every rank, as ``work`` raised it on the lowest one.
        RankError: Likewise, where it raised anything else.
    """
    group = waiting_group()
    if group is None:
        return [work()]
    mine, outcome = _attempt(work)
    found = gather_object(outcome, group=group) or []
    # errors alone go back: results may be large
    errors = on_main(lambda: [error for _, error in found if error])
    if mine is not None:
        raise mine
    for error in errors:
        raise error
    return [result for result, _ in found]


def _attempt(
    work: Callable[[], Any],
) -> tuple[Exception | None, tuple[Any, IGQError | None]]:
    """The error of this rank, and the outcome as others are told."""
    try:
        return None, (work(), None)
    except IGQError as error:
        return error, (None, error)
    except Exception as error:  # may not survive pickling
        said = f'rank {get_rank()}: {type(error).__name__}: {error}'
        return error, (None, RankError(said))
