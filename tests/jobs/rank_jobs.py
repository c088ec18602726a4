"""Small jobs of several processes, for test_distributed.py.

python -m tests.jobs.rank_jobs FOLDER LAUNCHER:JOB:RANKS ...

Imports once and forks, since most of a job's time would be imports. What
the ranks print is left in FOLDER. Nothing supervises them.
"""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import torch
from mmengine.dist import get_rank, get_world_size

from igq_mmdet.commands.command import run_command
from igq_mmdet.detection.calibration.agreement import check_agreement
from igq_mmdet.errors import DataError
from igq_mmdet.jobs.interruption import advising
from igq_mmdet.jobs.launch import processes
from igq_mmdet.jobs.ranks import on_every, on_main


def meet():
    """Rank 0 prints what everybody has; the others cannot print."""
    said = on_main(lambda: f'rank {get_rank()} of {get_world_size()}')
    every = on_every(get_rank)
    assert every == ([0, 1] if get_rank() == 0 else [])
    print(f'{said} met {every}', os.environ['MASTER_ADDR'])


def main_raises():
    def work():
        raise DataError('no such picture')

    on_main(work)


def other_raises():
    def work():
        if get_rank() == 1:
            raise DataError('no such picture')
        return torch.zeros(1000)

    on_every(work)


def alone_raises():
    """Rank 1 fails where rank 0 is not even listening."""
    if get_rank() == 1:
        raise DataError('no such picture')
    time.sleep(500)


def third_raises():
    """The others are not listening, and hear of it from rank 0 only."""
    if get_rank() == 2:
        raise DataError('no such picture')
    time.sleep(500)


def closes():
    """Rank 1 has told what all were told; rank 0 still cleans up."""
    try:
        main_raises()
    finally:
        if get_rank() == 0:
            time.sleep(2)
            sys.stderr.write('closed\n')


def catches():
    """Rank 0 hears of rank 1 while it deals with an error of its own."""
    if get_rank() == 1:
        time.sleep(1)
        raise DataError('no such picture')
    try:
        try:
            raise RuntimeError('try another way')
        except RuntimeError:
            time.sleep(2)
        time.sleep(500)
    finally:
        sys.stderr.write('closed\n')


def terminated():
    """All of them, as by scancel."""
    with advising('start again'):
        os.kill(os.getpid(), signal.SIGTERM)


def killed():
    if get_rank() == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    on_main(lambda: time.sleep(500))


def killed_main():
    if get_rank() == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    on_main(lambda: None)


def by_hand():
    raise AssertionError('joined a job that is not there')


def differ():
    model = torch.nn.Sequential(torch.nn.Linear(2, 2), torch.nn.Linear(2, 2))
    for parameter in model.parameters():
        parameter.data.fill_(1.0)
    check_agreement(model)
    if get_rank() == 1:
        # the smallest step there is
        model[1].bias.data[1] = torch.nextafter(
            torch.tensor(1.0), torch.tensor(2.0)
        )
    check_agreement(model)


def mpi(rank, ranks):
    """What mpirun leaves in the environment."""
    return {
        'OMPI_COMM_WORLD_RANK': rank,
        'OMPI_COMM_WORLD_LOCAL_RANK': rank,
        'OMPI_COMM_WORLD_SIZE': ranks,
        'MASTER_ADDR': '127.0.0.1',
    }


def slurm(rank, ranks):
    """What srun leaves in the environment."""
    return {
        'SLURM_PROCID': rank,
        'SLURM_LOCALID': rank,
        'SLURM_NTASKS': ranks,
        'SLURM_NODELIST': 'node[1-2]',
    }


def nobody(rank, ranks):
    """Of a process that was started by hand."""
    return {}


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def main(launcher, name):
    """As the command line does."""
    with processes(launcher):
        globals()[name]()


def fork(folder, launcher, name, rank, variables):
    """Starts one rank; gives its process id."""
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        for descriptor, kind in ((1, 'out'), (2, 'err')):
            path = folder / f'{launcher}-{name}-{rank}.{kind}'
            file = os.open(path, os.O_WRONLY | os.O_CREAT)
            os.dup2(file, descriptor)
        os.environ.update({k: str(v) for k, v in variables.items()})
        status = run_command(main, launcher, name)
        sys.stdout.flush()
    except SystemExit as end:
        status = end.code
    except BaseException as error:
        print(f'Traceback {error!r}', file=sys.stderr, flush=True)
    finally:
        os._exit(status)


if __name__ == '__main__':
    folder = Path(sys.argv[1])
    for text in sys.argv[2:]:
        launcher, name, ranks = text.split(':')
        left = {'mpi': mpi, 'slurm': slurm}.get(launcher, nobody)
        if name == 'by_hand':
            left = nobody
        port = {} if left is nobody else {'MASTER_PORT': free_port()}
        pids = [
            fork(folder, launcher, name, r, left(r, int(ranks)) | port)
            for r in range(int(ranks))
        ]
        for rank, pid in enumerate(pids):
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            path = folder / f'{launcher}-{name}-{rank}.status'
            path.write_text(str(status))
