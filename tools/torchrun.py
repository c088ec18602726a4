"""torchrun, which leaves it to the processes to say what went wrong.

Takes torchrun's arguments. Of a process that was killed it says so in one
line instead of a page.
"""

import logging
import signal
import sys

from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import main as torchrun


def main(argv: list[str] | None = None) -> int:
    """Runs the processes; gives their exit status."""
    logging.disable(logging.CRITICAL)
    try:
        torchrun(argv)
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        if failure.exitcode < 0:
            name = signal.Signals(-failure.exitcode).name
            print(
                f'error: rank {rank} was killed by {name}; all ranks stop, '
                'start the job again',
                file=sys.stderr,
            )
            return 1
        return failure.exitcode
    except SignalException as error:
        return 128 + error.sigval
    return 0


if __name__ == '__main__':
    sys.exit(main())
