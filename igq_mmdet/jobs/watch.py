"""Notices at once when another process of the job is gone."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType

import torch.distributed as dist
from mmengine.dist import get_dist_info

from .interruption import SIGNALS
from .peers import connect_peers
from .ranks import waiting_group

Hook = Callable[
    [type[BaseException], BaseException, TracebackType | None], object
]

DONE, FAILED = b'd', b'f'

# Seconds the main thread gets to end by itself once a rank is gone.
GRACE = 20.0


class Watch:
    """Waits in threads for the last word of the other ranks.

    Rank 0 waits for every rank, the others wait for rank 0. Whoever ends
    says whether it is done or failed; the connections of one that is killed
    close instead, which ends the waiting as well. The main thread is then
    sent SIGTERM, for which it must have a handler that raises; should it
    hang in a collective that notices nothing, the process is ended.

    Collective: all ranks make one, :meth:`start` it, and call
    :meth:`finish`, or :meth:`calm` and :meth:`fail`.

    Args:
        seconds (float): How long to wait for the others at first.

    Attributes:
        lost (int, optional): The rank that failed or was killed.
        killed (bool): Whether that one went without a word.

    Raises:
        OSError, RuntimeError: The ranks could not be connected.
    """

    def __init__(self, seconds: float) -> None:
        self.lost: int | None = None
        self.killed = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._peers = connect_peers(seconds)
        self._threads = [
            threading.Thread(target=self._wait, args=(peer,), daemon=True)
            for peer in self._peers
        ]
        os.register_at_fork(after_in_child=self._forget)

    def start(self) -> None:
        """From here on the main thread is interrupted if a rank is gone."""
        for thread in self._threads:
            thread.start()

    def calm(self) -> None:
        """From here on nothing interrupts the main thread, no signal either.

        What is wrong must be said, and torchrun sends SIGTERM to all once
        one has ended.
        """
        ignore_workers()
        while not self._over.is_set():
            try:
                for number in SIGNALS:
                    signal.signal(number, signal.SIG_IGN)
                with self._lock:
                    self._over.set()
            except (SystemExit, KeyboardInterrupt):
                pass  # came just before

    def _wait(self, peer: int) -> None:
        try:
            word = self._peers[peer].recv(1)
        except OSError:  # its connection is broken
            word = b''
        if word == DONE:
            return
        with self._lock:
            if self.lost is not None:
                return
            self.lost, self.killed = peer, not word
            if self._over.is_set():
                return
            self._interrupt()
        self._say(FAILED, but=peer)  # rank 0 passes it on
        end = time.monotonic() + GRACE
        while time.monotonic() < end:
            if self._over.wait(1):
                return
            with self._lock:
                if not self._over.is_set():
                    self._interrupt()  # may have put it off
        if self.killed and self.tells():
            print('error:', gone(peer), file=sys.stderr, flush=True)
        os._exit(1)

    def _interrupt(self) -> None:
        main = threading.main_thread().ident
        assert main is not None
        signal.pthread_kill(main, signal.SIGTERM)

    def _forget(self) -> None:
        """Loader workers outlive a killed rank; its connections must not."""
        for peer in self._peers.values():
            peer.close()
        sys.excepthook = _lose_quietly(sys.excepthook)

    def finish(self) -> None:
        """All ranks are done."""
        dist.barrier(waiting_group())
        self._say(DONE)
        for thread in self._threads:
            thread.join()

    def fail(self) -> None:
        """This rank cannot go on; tells those who wait for it."""
        self._say(FAILED)

    def hear(self, seconds: float) -> None:
        """Lets rank 0 come to its end, if it does so in time.

        Args:
            seconds (float): How long it may take.
        """
        if self._peers.keys() == {0}:
            self._threads[0].join(seconds)

    def tells(self) -> bool:
        """Whether it is for this rank to say that one was killed."""
        if self.lost is None or torchrun_tells(self.lost):
            return False
        return get_dist_info()[0] == (1 if self.lost == 0 else 0)

    def notices(self, seconds: float = 2.0) -> bool:
        """Whether a rank is gone, which takes a moment to show.

        Args:
            seconds (float): How long to look. Defaults to 2.
        """
        end = time.monotonic() + seconds
        while self.lost is None and time.monotonic() < end:
            time.sleep(0.05)
        return self.lost is not None

    def _say(self, word: bytes, but: int | None = None) -> None:
        for rank, peer in self._peers.items():
            if rank == but:
                continue
            try:
                peer.sendall(word)
            except OSError:
                pass  # it is gone itself


def _lose_quietly(hook: Hook) -> Hook:
    """Of a loader worker: its rank is gone, which the others tell.

    A thread of the worker hands over its tensors, and prints what a rank
    that is killed meanwhile leaves it with.

    Args:
        hook (Callable): What prints all other errors.
    """

    def say(
        kind: type[BaseException],
        error: BaseException,
        trace: TracebackType | None,
    ) -> None:
        if not issubclass(kind, (EOFError, ConnectionError)):
            hook(kind, error, trace)

    return say


def ignore_workers() -> None:
    """From here on a data loader does not raise when its workers end.

    They end by the signal that stops their rank.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def gone(rank: int) -> str:
    """What to tell of a rank that went without a word.

    Args:
        rank (int): Which one.
    """
    return (
        f'rank {rank} was killed or lost its connection; all ranks stop, '
        'start the job again'
    )


def torchrun_tells(rank: int) -> bool:
    """Whether a torchrun on this machine sees that a rank was killed.

    Args:
        rank (int): Which one.
    """
    if 'TORCHELASTIC_RUN_ID' not in os.environ:
        return False
    first = get_dist_info()[0] - int(os.environ['LOCAL_RANK'])
    return 0 <= rank - first < int(os.environ['LOCAL_WORLD_SIZE'])
