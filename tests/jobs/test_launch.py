"""Jobs of real processes that meet, raise and are killed."""

import os
import signal
import sys

import pytest

pytest.importorskip('mmdet')

from .real_processes import end, environment, errors, start

pytestmark = pytest.mark.slow

JOBS = (
    'mpi:meet:2',
    'slurm:meet:2',
    'mpi:main_raises:2',
    'mpi:other_raises:2',
    'mpi:alone_raises:2',
    'mpi:third_raises:3',
    'mpi:closes:2',
    'mpi:catches:2',
    'mpi:terminated:2',
    'mpi:killed:3',
    'mpi:killed_main:3',
    'mpi:differ:3',
    'pytorch:by_hand:1',
    'slurm:by_hand:1',
    'mpi:by_hand:1',
)


@pytest.fixture(scope='module')
def job(tmp_path_factory):
    """Gives status, stdout and stderr of every rank of a job."""
    folder = tmp_path_factory.mktemp('jobs')
    # mmengine asks scontrol for the names of the hosts; Slurm itself is
    # not on this machine
    command = folder / 'scontrol'
    command.write_text(
        '#!/bin/sh\n'
        '[ "$*" = "show hostname node[1-2]" ] && echo localhost && echo other'
    )
    command.chmod(0o755)
    path = f'{folder}:{os.environ["PATH"]}'
    argv = [sys.executable, '-m', f'{__package__}.rank_jobs', folder, *JOBS]
    (done,) = end([start(argv, environment(PATH=path))])
    assert done[0] == 0, done

    def of(launcher, name, ranks):
        assert f'{launcher}:{name}:{ranks}' in JOBS
        paths = [folder / f'{launcher}-{name}-{r}' for r in range(ranks)]
        return [
            (
                int(path.with_suffix('.status').read_text()),
                path.with_suffix('.out').read_text(),
                path.with_suffix('.err').read_text(),
            )
            for path in paths
        ]

    return of


@pytest.mark.parametrize(
    'launcher, host', [('mpi', '127.0.0.1'), ('slurm', 'localhost')]
)
def test_ranks_meet(launcher, host, job):
    first, second = job(launcher, 'meet', 2)
    assert first[:2] == (0, f'rank 0 of 2 met [0, 1] {host}\n'), first
    assert second[:2] == (0, ''), second  # one of them prints


@pytest.mark.parametrize(
    'where, ranks', [('main', 2), ('other', 2), ('alone', 2), ('third', 3)]
)
def test_an_error_is_told_once(where, ranks, job):
    done = job('mpi', f'{where}_raises', ranks)
    assert [status for status, _, _ in done] == [1] * ranks, done
    assert errors(done) == ['error: no such picture']
    assert not any('Traceback' in err for _, _, err in done)


@pytest.mark.parametrize('name', ['closes', 'catches'])
def test_another_rank_s_end_waits_for_the_cleaning_up(name, job):
    done = job('mpi', name, 2)
    assert [status for status, _, _ in done] == [1, 1], done
    assert done[0][2].startswith('closed\n'), done
    assert errors(done) == ['error: no such picture']


def test_an_interruption_is_told_once(job):
    done = job('mpi', 'terminated', 2)
    # one may hear that the other stops before its own signal
    assert {143} <= {status for status, _, _ in done} <= {1, 143}, done
    told = [err for _, _, err in done if err]
    assert told == ['interrupted; start again\n']


@pytest.mark.parametrize('name, rank', [('killed', 1), ('killed_main', 0)])
def test_a_killed_rank_stops_the_others(name, rank, job):
    done = job('mpi', name, 3)
    expected = [1, 1, 1]
    expected[rank] = -signal.SIGKILL
    assert [status for status, _, _ in done] == expected, done
    (line,) = errors(done)
    assert f'rank {rank} was killed' in line


def test_ranks_that_differ_are_named(job):
    done = job('mpi', 'differ', 3)
    assert [status for status, _, _ in done] == [1, 1, 1], done
    (line,) = errors(done)
    assert 'ranks [1] of 3' in line and 'first in 1;' in line


@pytest.mark.parametrize(
    'launcher, text',
    [
        ('pytorch', 'RANK is not in the environment; start with torchrun'),
        ('slurm', 'SLURM_PROCID is not in the environment; start with srun'),
        ('mpi', 'OMPI_COMM_WORLD_RANK is not in the environment'),
    ],
)
def test_a_launcher_that_did_not_launch(launcher, text, job):
    ((status, _, err),) = job(launcher, 'by_hand', 1)
    assert status == 1 and text in err and 'Traceback' not in err
