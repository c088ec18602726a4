"""How a command line ends: an error of ours is one line, never a trace."""

import sys
from collections.abc import Callable
from typing import ParamSpec

from .errors import IGQError

P = ParamSpec('P')

INTERRUPTED = 130  # 128 + SIGINT, what shells report


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
        int: 1 after an :class:`IGQError`, 130 after Ctrl-C, each with one
        line on stderr. Any other exception is a bug and passes through.
    """
    try:
        return run(*args, **kwargs) or 0
    except IGQError as error:
        # reasons that others gave may span lines
        print('error:', ' '.join(str(error).split()), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('interrupted', file=sys.stderr)
        return INTERRUPTED
