"""Progress on standard error: a bar on a terminal, lines in a log."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

SECONDS = 30.0
TENTHS = 10
LINE = (
    '{desc}: {percentage:.0f}% {n_fmt}/{total_fmt} {unit} '
    '[{elapsed}<{remaining}]'
)


class Progress(tqdm):
    """tqdm that leaves a log readable.

    Where standard error is no terminal, a line is written at the start, and
    then when a tenth of the work is done or 30 s have passed since the last
    one. All arguments are those of ``tqdm``.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        stream = kwargs.get('file') or sys.stderr
        self._terminal = stream.isatty()
        self._tenth, self._told = -1, -SECONDS
        if not self._terminal:
            # asked after every step, it decides by itself
            kwargs.update(mininterval=0, miniters=1, leave=False)
        super().__init__(*args, **kwargs)

    def display(self, msg: str | None = None, pos: int | None = None) -> Any:
        """Draws the bar, or writes a line if one is due."""
        if self._terminal:
            return super().display(msg, pos)
        # closing asks for an empty one, to wipe out a bar
        if msg == '':
            return None
        now = time.monotonic()
        tenth = TENTHS * self.n // self.total if self.total else 0
        if tenth > self._tenth or now - self._told >= SECONDS:
            self._tenth, self._told = tenth, now
            known = {'bar_format': LINE} if self.total else {}
            self.fp.write(self.format_meter(**{**self.format_dict, **known}))
            self.fp.write('\n')
            self.fp.flush()
        return None


@contextmanager
def busy(what: str, every: float = 10.0, disable: bool = False) -> Iterator:
    """Says what goes on, and again every 10 s that it still does.

    For work whose steps cannot be counted.

    Args:
        what (str): Such as ``'loading the detector'``.
        every (float): Seconds. Defaults to 10.
        disable (bool): Says nothing. Defaults to False.
    """
    if disable:
        yield
        return
    start, done = time.monotonic(), threading.Event()

    def tell() -> None:
        while not done.wait(every):
            say(f'{what}: {time.monotonic() - start:.0f} s')

    def say(text: str) -> None:
        sys.stderr.write(f'{text}\n')
        sys.stderr.flush()

    say(what)
    thread = threading.Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
