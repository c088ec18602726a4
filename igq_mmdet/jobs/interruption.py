"""SIGINT and SIGTERM end a command line cleanly."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to stop.

    Args:
        number (int): Of the signal.

    Attributes:
        exit_status (int): 130 after SIGINT, 143 after SIGTERM.
        advice (str): What a user can do now; may be empty.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_status = 128 + number  # as a shell has it
        self.advice = ''  # what a user can do now


@contextmanager
def interruptible() -> Iterator[None]:
    """Lets the first signal raise :class:`Interrupted`, once.

    Blocks that write files get to clean up, which a second signal does not
    disturb. Errors that follow from a signal, such as a data loader whose
    workers it stopped, count as the interruption they are.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    received: list[int] = []

    def stop(number: int, frame: FrameType | None) -> None:
        if not received:
            received.append(number)
            raise Interrupted(number)

    before = {number: signal.signal(number, stop) for number in SIGNALS}
    try:
        yield
    except Exception as error:
        if received:
            raise Interrupted(received[0]) from error
        raise
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is stop:  # not set to ignore
                signal.signal(number, handler)
    if received:  # swallowed on the way, by a destructor for example
        raise Interrupted(received[0])


@contextmanager
def advising(text: str) -> Iterator[None]:
    """Adds what a user can do to an interruption.

    Args:
        text (str): Ends the line on stderr.
    """
    try:
        yield
    except Interrupted as interrupted:
        interrupted.advice = text
        raise
