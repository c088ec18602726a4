"""How a command line ends: an error of ours is one line, never a trace."""

import sys
from collections.abc import Callable
from typing import ParamSpec

from ..errors import IGQError, one_line
from ..jobs.interruption import Interrupted, interruptible

P = ParamSpec('P')


def run_command(
    run: Callable[P, int | None], *args: P.args, **kwargs: P.kwargs
) -> int:
    """Runs a command and turns how it ended into an exit status.

    Args:
        run (Callable): The command; what it returns is the status, None
            is 0.
        args: For ``run``.
        kwargs: For ``run``.

    Returns:
        int: 1 after an :class:`IGQError`, 130 after Ctrl-C, 143 after
        SIGTERM, each with one line on stderr. Any other exception is a bug
        and passes through.
    """
    try:
        with interruptible():
            return run(*args, **kwargs) or 0
    except IGQError as error:
        # one write, where several processes share the screen
        sys.stderr.write(f'error: {one_line(error)}\n')
        return 1
    except Interrupted as interrupted:
        advice = interrupted.advice and f'; {interrupted.advice}'
        sys.stderr.write(f'interrupted{advice}\n')
        return interrupted.exit_status
