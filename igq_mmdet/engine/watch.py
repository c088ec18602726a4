"""Notices at once when another process of the job is gone."""

import _thread
import os
import signal
import sys
import threading
import time

import torch
import torch.distributed as dist
from mmengine.dist import get_dist_info

from .ranks import PATIENCE

DONE, FAILED = 1, 2

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

    Attributes:
        lost (int, optional): The rank that failed or was killed.
        killed (bool): Whether that one went without a word.
    """

    def __init__(self) -> None:
        self.lost: int | None = None
        self.killed = False
        self._over = threading.Event()
        self._lock = threading.Lock()
        rank, world_size = get_dist_info()
        self.peers = [0] if rank else list(range(1, world_size))
        self._group = dist.new_group(backend='gloo', timeout=PATIENCE)
        self._threads = [
            threading.Thread(target=self._wait, args=(peer,), daemon=True)
            for peer in self.peers
        ]

    def start(self) -> None:
        """From here on the main thread is interrupted if a rank is gone."""
        for thread in self._threads:
            thread.start()

    def calm(self) -> None:
        """From here on nothing interrupts the main thread."""
        while not self._over.is_set():
            try:
                with self._lock:
                    self._over.set()
                time.sleep(0.01)  # lets in what is under way
            except SystemExit:
                pass

    def _wait(self, peer: int) -> None:
        word = torch.zeros(1)
        killed = False
        try:
            dist.recv(word, src=peer, group=self._group)
        except RuntimeError:  # its connection is closed
            killed = True
        if word == DONE:
            return
        with self._lock:
            if self.lost is not None:
                return
            self.lost, self.killed = peer, killed
            if self._over.is_set():
                return
            _thread.interrupt_main(signal.SIGTERM)
        if not self._over.wait(GRACE):
            if killed and not torchrun_tells(peer):
                print('error:', gone(peer), file=sys.stderr, flush=True)
            os._exit(1)

    def finish(self) -> None:
        """All ranks are done."""
        dist.barrier(self._group)
        self._say(DONE)
        for thread in self._threads:
            thread.join()

    def fail(self) -> None:
        """This rank cannot go on; tells those who wait for it.

        They stop as well. That is waited for, since an interpreter that
        ends while a thread receives is aborted.
        """
        self._say(FAILED)
        end = time.monotonic() + 1.5 * GRACE
        for thread in self._threads:
            thread.join(max(0, end - time.monotonic()))

    def notices(self, seconds: float = 2.0) -> bool:
        """Whether a rank is gone, which takes a moment to show.

        Args:
            seconds (float): How long to look. Defaults to 2.
        """
        end = time.monotonic() + seconds
        while self.lost is None and time.monotonic() < end:
            time.sleep(0.05)
        return self.lost is not None

    def _say(self, word: int) -> None:
        for peer in self.peers:
            try:
                dist.send(torch.full((1,), float(word)), peer, self._group)
            except RuntimeError:
                pass  # it is gone itself


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
