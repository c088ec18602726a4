"""What a case is, and how its outcome is judged."""

import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from igq_mmdet.errors import IGQError, one_line

EQUAL = 'worked'
REFUSED = 'refused'
WRONG = 'wrong'
SECONDS = 60


@dataclass(frozen=True)
class Case:
    """One hostile input.

    Args:
        label (str): What is wrong with it; stands in messages.
        prepare (Callable): Writes the input into an empty folder.
        attempt (Callable): Uses it, given the folder; raises ``Differs``
            if what came out is not what would have come of whole input.
        names (str): What a refusal has to name: a file or a field.
        may_write (tuple[str, ...]): Files that ``attempt`` may make or
            change. Defaults to ().
        must (str, optional): ``worked`` or ``refused``, where only that
            is right.
    """

    label: str
    prepare: Callable[[Path], Any]
    attempt: Callable[[Path], Any]
    names: str
    may_write: tuple[str, ...] = ()
    must: str | None = None


@dataclass(frozen=True)
class Outcome:
    """How a case ended.

    Args:
        kind (str): ``worked``, ``refused`` or ``wrong``.
        text (str): The error's line, or what was wrong.
    """

    kind: str
    text: str = ''


class Differs(Exception):
    """Hostile input was taken, and gave something else."""


class TooLong(BaseException):
    """A case has not ended in time; nobody may catch it on the way."""


Kind = Callable[[Random, Path], Iterator[Case]]


def judge(case: Case) -> Outcome:
    """Runs one case in a folder of its own.

    Args:
        case (Case): It is *wrong* if it raises anything but an
            :class:`IGQError` of one line that says where, takes the input
            for something else, writes a file, or does not end.
    """
    with tempfile.TemporaryDirectory(prefix='igq-fuzz-') as name:
        folder = Path(name)
        case.prepare(folder)
        before = _content(folder)
        outcome = _attempt(case, folder)
        changed = {
            path
            for path, there in _content(folder).items()
            if before.get(path) != there
        } | (before.keys() - _content(folder).keys())
    changed -= set(case.may_write)
    if changed:
        return Outcome(WRONG, f'wrote {sorted(changed)}')
    if case.must not in (None, outcome.kind) and outcome.kind != WRONG:
        return Outcome(WRONG, f'{outcome.kind}: {outcome.text}')
    return outcome


def _attempt(case: Case, folder: Path) -> Outcome:
    old = signal.signal(signal.SIGALRM, _alarm)
    signal.alarm(SECONDS)
    try:
        case.attempt(folder)
    except IGQError as error:
        line = one_line(error)
        if case.names not in line:
            return Outcome(WRONG, f'does not name {case.names!r}: {line}')
        if not line.isprintable() or len(line) > 1000:
            return Outcome(WRONG, f'is no line to print: {line[:200]!r}')
        return Outcome(REFUSED, line)
    except Differs as error:
        return Outcome(WRONG, f'taken for something else: {error}')
    except (
        Exception,
        SystemExit,
        TooLong,
    ) as error:  # the very thing looked for
        return Outcome(WRONG, f'{type(error).__name__}: {str(error)[:300]}')
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, old)
    return Outcome(EQUAL)


def _alarm(*_: Any) -> None:
    raise TooLong(f'not ended after {SECONDS} s')


def _content(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for path in folder.rglob('*'):
        if path.is_symlink():
            continue
        about = os.stat(path)
        name = str(path.relative_to(folder))
        found[name] = path.is_dir() or (about.st_size, about.st_mtime_ns)
    return found
