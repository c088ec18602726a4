"""Real processes, joined by gloo on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import psutil
import torch

from igq_mmdet.checkpoint_file import read

from ..conftest import ROOT
from .conftest import CONFIG, FLOAT

pytestmark = pytest.mark.slow

FEW = 'test_dataloader.dataset.indices=5'
# one that ends on its own ends long before
LIMIT = 550


def environment(**more):
    threads = str(torch.get_num_threads())
    clean = {
        k: v for k, v in os.environ.items() if not k.startswith('TORCHELASTIC')
    }
    return {
        **clean,
        'PYTHONPATH': str(ROOT),
        'PYTHON': sys.executable,
        'OMP_NUM_THREADS': threads,
        'MKL_NUM_THREADS': threads,
        **{key: str(value) for key, value in more.items()},
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def start(argv, env):
    return subprocess.Popen(
        [str(arg) for arg in argv],
        cwd=ROOT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(ranks):
    """Status, stdout and stderr of each, once they have ended."""
    done = []
    try:
        for rank in ranks:
            out, err = rank.communicate(timeout=LIMIT)
            done.append((rank.returncode, out, err))
    finally:
        for rank in ranks:
            rank.kill()
    return done


JOBS = (
    'mpi:meet:2',
    'slurm:meet:2',
    'mpi:main_raises:2',
    'mpi:other_raises:2',
    'mpi:alone_raises:2',
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


def errors(done):
    return [
        line
        for _, _, err in done
        for line in err.splitlines()
        if line.startswith('error:')
    ]


@pytest.mark.parametrize(
    'launcher, host', [('mpi', '127.0.0.1'), ('slurm', 'localhost')]
)
def test_ranks_meet(launcher, host, job):
    first, second = job(launcher, 'meet', 2)
    assert first[:2] == (0, f'rank 0 of 2 met [0, 1] {host}\n'), first
    assert second[:2] == (0, ''), second  # one of them prints


@pytest.mark.parametrize('where', ['main', 'other', 'alone'])
def test_an_error_is_told_once(where, job):
    done = job('mpi', f'{where}_raises', 2)
    assert [status for status, _, _ in done] == [1, 1], done
    assert errors(done) == ['error: no such picture']
    assert not any('Traceback' in err for _, _, err in done)


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


def arguments(folder, *more, options=()):
    """Of ptq_coco.py."""
    folder.mkdir(exist_ok=True)
    return [
        *('--calib-images', 3, '--save', folder / 'q.safetensors'),
        *('--work-dir', folder / 'work', *more),
        *('--cfg-options', FEW, *options),
    ]


def dist_ptq(folder, ranks, *more, options=(), config=CONFIG):
    """tools/dist_ptq.sh, as a user calls it."""
    return start(
        ['tools/dist_ptq.sh', config, FLOAT, ranks]
        + arguments(folder, *more, options=options),
        environment(),
    )


def result_of(folder):
    """Report and checkpoint without clock and folder."""
    report = json.loads((folder / 'work/igq_report.json').read_text())
    for entry in (report['float'], *report['runs']):
        del entry['eval_seconds']
    for run in report['runs']:
        del run['calibration']['seconds']
    checkpoint = read(folder / 'q.safetensors')
    del checkpoint.info['calibration']['seconds']
    text = checkpoint.info.pop('model_config')
    config = [ln for ln in text.splitlines() if not ln.startswith('work_dir')]
    tensors = {k: v.numpy().tobytes() for k, v in checkpoint.tensors.items()}
    return report, checkpoint.spec, checkpoint.info, config, tensors


@pytest.fixture(scope='module')
def one_process(tmp_path_factory):
    folder = tmp_path_factory.mktemp('one')
    argv = [sys.executable, 'tools/ptq_coco.py', CONFIG, FLOAT]
    (done,) = end([start(argv + arguments(folder), environment())])
    assert done[0] == 0, done
    return result_of(folder)


@pytest.mark.parametrize('ranks, more', [(2, ['--calib-parallel']), (3, [])])
def test_processes_equal_one(ranks, more, one_process, tmp_path):
    ((status, out, err),) = end([dist_ptq(tmp_path, ranks, *more)])
    assert status == 0, err
    for found, expected in zip(result_of(tmp_path), one_process, strict=True):
        assert found == expected
    # one process prints, and nothing but results
    lines = out.splitlines()
    assert lines[0].startswith('calibration images [')
    assert lines[1].split()[:2] == ['setting', 'W/A']
    assert lines[-1].startswith('report: ') and len(lines) == 7


def rank_of(launched, rank):
    """The process of a rank below torchrun."""
    for child in psutil.Process(launched.pid).children(recursive=True):
        try:
            if child.environ().get('RANK') == str(rank):
                return child
        except psutil.Error:
            pass  # ended meanwhile
    raise AssertionError(f'no rank {rank}')


def test_killed_under_torchrun(tmp_path):
    launched = dist_ptq(tmp_path, 2, '--skip-float')
    saved = tmp_path / 'q.safetensors'
    while launched.poll() is None and not saved.exists():
        time.sleep(0.1)
    assert launched.poll() is None, launched.communicate()
    rank_of(launched, 1).kill()
    done = end([launched])
    assert done[0][0] == 1
    (line,) = errors(done)
    assert 'rank 1 was killed by SIGKILL' in line
    assert 'Traceback' not in done[0][2]
    read(saved)  # written before evaluation, whole
    assert not (tmp_path / 'work/igq_report.json').exists()
    assert not [p for p in tmp_path.rglob('*') if p.suffix == '.tmp']


def test_error_of_one_rank_under_torchrun(tmp_path):
    config = tmp_path / 'config.py'
    config.write_text(
        f"_base_ = '{ROOT / CONFIG}'\n"
        "custom_imports = dict(imports=['tests.engine.rank_hooks'])\n"
        "custom_hooks = [dict(type='DisturbRank1')]\n"
    )
    done = end([dist_ptq(tmp_path, 2, '--skip-float', config=config)])
    assert done[0][0] == 1
    (line,) = errors(done)
    assert 'ranks [1] of 2' in line
    assert 'first in neck.lateral_convs.1.conv.input_quantizer;' in line
    assert 'Traceback' not in done[0][2]
    assert not (tmp_path / 'work/igq_report.json').exists()


STOCK = """
import sys
from mmengine.config import Config
from igq_mmdet.engine import IGQHook
from mmengine.runner import Runner
from tests.engine.rank_hooks import gloo_for_stock_runner

config = Config.fromfile(sys.argv[1])
Runner.from_cfg(gloo_for_stock_runner(config)).test()
"""


def test_hook_in_a_stock_runner(few_images, calibrated, tmp_path):
    config = few_images()
    config.work_dir = str(tmp_path / 'work')
    config.load_from = str(ROOT / FLOAT)
    config.custom_imports = dict(imports=['tests.engine.rank_hooks'])
    config.custom_hooks = [
        # one image: rank 0 or 1 has none to look at
        dict(
            type='igq_mmdet.IGQHook',
            spec=calibrated.spec.to_dict(),
            calib=dict(parallel=True),
            save=str(tmp_path / 'q.safetensors'),
        ),
        dict(type='WhatIsEvaluated', folder=str(tmp_path)),
    ]
    config.dump(tmp_path / 'config.py')
    port = free_port()
    done = end(
        [
            start(
                [sys.executable, '-c', STOCK, tmp_path / 'config.py'],
                environment(
                    RANK=rank,
                    LOCAL_RANK=rank,
                    WORLD_SIZE=2,
                    MASTER_ADDR='127.0.0.1',
                    MASTER_PORT=port,
                ),
            )
            for rank in range(2)
        ]
    )
    assert [status for status, _, _ in done] == [0, 0], done
    # every rank evaluated the quantized model, each its own images
    seen = [
        json.loads((tmp_path / f'rank{rank}.json').read_text())
        for rank in range(2)
    ]
    spec = calibrated.spec.to_dict()
    for entry in seen[0] + seen[1]:
        assert entry['spec'] == spec
        assert entry['wrapper'] == 'MMDistributedDataParallel'
    images = [{entry['img_id'] for entry in rank} for rank in seen]
    assert len(images[0]) == len(images[1]) == 4
    assert not images[0] & images[1]
    report = Path(config.work_dir) / 'igq_report.json'
    (run,) = json.loads(report.read_text())['runs']
    assert run['metrics'] == calibrated.metrics
    made = read(tmp_path / 'q.safetensors').tensors
    expected = read(calibrated.path).tensors
    assert made.keys() == expected.keys()
    assert all(torch.equal(made[key], expected[key]) for key in made)
