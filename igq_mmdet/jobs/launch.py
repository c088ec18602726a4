"""Starts and ends a job of several processes, on mmengine's launchers."""

import multiprocessing
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import FrameType
from unittest import mock

import torch
import torch.distributed as dist
from mmengine.dist import (
    get_default_group,
    init_dist,
    is_main_process,
)

from ..errors import IGQError, RankError
from .interruption import Interrupted
from .ranks import START, be_patient, waiting_group
from .watch import GRACE, Watch, gone, ignore_workers, torchrun_tells

# What each launcher leaves in the environment, and who does.
LAUNCHERS: dict[str, tuple[str, tuple[str, ...]]] = {
    'none': ('', ()),
    'pytorch': (
        'torchrun, see tools/dist_ptq.sh',
        ('RANK', 'LOCAL_RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'MASTER_PORT'),
    ),
    'slurm': ('srun', ('SLURM_PROCID', 'SLURM_NTASKS', 'SLURM_NODELIST')),
    'mpi': (
        'mpirun -x MASTER_ADDR=...',
        (
            'OMPI_COMM_WORLD_RANK',
            'OMPI_COMM_WORLD_LOCAL_RANK',
            'OMPI_COMM_WORLD_SIZE',
            'MASTER_ADDR',
        ),
    ),
}
TOLD = 'igq_mmdet/told'
# What ends a rank by itself: ours, a signal, a collective that failed.
ENDING = (IGQError, Interrupted, RuntimeError)


@contextmanager
def processes(launcher: str) -> Iterator[None]:
    """Joins the job this process is part of, and leaves it at the end.

    NCCL carries the collectives where there are GPUs, gloo elsewhere. When
    a process raises or is killed, the others stop as well, and one of them
    says why; SIGINT and SIGTERM are ignored from then on. Only rank 0 has a
    standard output.

    Args:
        launcher (str): One of ``LAUNCHERS``.

    Raises:
        RankError: The launcher did not start this process, or another
            process is gone.
        Interrupted: SIGTERM came, and this process is to say so.
        SystemExit: This process has to end, and another says why.
    """
    if launcher == 'none':
        yield
        return
    with no_stdout():
        try:
            _start(launcher)
            watch = Watch(START.seconds)
        except IGQError:
            raise
        except Exception as error:
            raise RankError(
                'cannot join the other processes at '
                f'{os.environ.get("MASTER_ADDR")}:'
                f'{os.environ.get("MASTER_PORT")} ({error})'
            ) from error
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        watch.start()
        with nullcontext() if is_main_process() else no_stdout():
            yield
        watch.finish()
    except BaseException as error:
        watch.calm()
        if not isinstance(error, IGQError):
            watch.notices()  # a collective or torchrun may notice first
        # settled first: who is told below stops, and the store with it
        instead = _instead_of(error, watch)
        watch.fail()
        if instead is None:
            watch.hear(GRACE)  # rank 0 closes its progress bar first
            raise
        raise instead from error
    signal.signal(signal.SIGTERM, before)
    dist.destroy_process_group()


@contextmanager
def no_stdout() -> Iterator[None]:
    """Sends standard output nowhere, also what is written below Python."""
    sys.stdout.flush()
    kept = os.dup(1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _start(launcher: str) -> None:
    started_by, needed = LAUNCHERS[launcher]
    for name in needed:
        if name not in os.environ:
            raise RankError(
                f'--launcher {launcher}: {name} is not in the environment; '
                f'start with {started_by}'
            )
    if launcher == 'mpi':  # mmengine's Runner asks for it
        local_rank = os.environ['OMPI_COMM_WORLD_LOCAL_RANK']
        os.environ.setdefault('LOCAL_RANK', local_rank)
    if launcher == 'slurm' and 'MASTER_ADDR' not in os.environ:
        if shutil.which('scontrol') is None:
            raise RankError(
                '--launcher slurm: there is no scontrol to ask for the '
                'first host; set MASTER_ADDR'
            )
    if multiprocessing.get_start_method(allow_none=True) is None:
        # mmengine's Runner would warn of any other
        multiprocessing.set_start_method('fork')
    gpu = torch.cuda.is_available()
    # mmengine chooses a GPU also where there is none
    patch = mock.patch.object(torch.cuda, 'set_device')
    with nullcontext() if gpu else patch:
        init_dist(launcher, 'nccl' if gpu else 'gloo', timeout=START.seconds)
    be_patient(get_default_group())
    waiting_group()


def _stop(number: int, frame: FrameType | None) -> None:
    """Raises, once, which lets half-made files be removed.

    Not while an error does so already: what cleans up would be cut short.
    :class:`Watch` asks again, should that error be caught.
    """
    if isinstance(sys.exc_info()[1], ENDING):
        return
    signal.signal(number, signal.SIG_IGN)
    ignore_workers()
    raise Interrupted(number)


def _instead_of(error: BaseException, watch: Watch) -> BaseException | None:
    """What to raise, if not the error itself."""
    if watch.lost is None:
        if isinstance(error, Interrupted):  # as all ranks are, as a rule
            first = _first_to_tell(is_main_process())
            return None if first else SystemExit(error.exit_status)
        tells = not isinstance(error, IGQError) or _first_to_tell(False)
        return None if tells else SystemExit(1)
    if watch.killed:
        if torchrun_tells(watch.lost):
            time.sleep(5)  # it must see first who was killed
        elif _may_tell(watch):
            return RankError(gone(watch.lost))
    return SystemExit(1)


def _may_tell(watch: Watch) -> bool:
    """Whether to say which rank was killed."""
    if watch.lost == 0:  # with the store, where asking may hang
        return watch.tells()
    return _first_to_tell(watch.tells())


def _first_to_tell(otherwise: bool) -> bool:
    """Whether no other rank has said what is wrong."""
    store = dist.distributed_c10d._get_default_store()
    try:
        first: bool = store.add(TOLD, 1) == 1
    except RuntimeError:  # who held it is gone
        return otherwise
    return first
