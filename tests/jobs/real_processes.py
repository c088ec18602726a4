"""Starting real processes and waiting for what they say."""

import os
import subprocess
import sys

import psutil
import torch

from ..conftest import ROOT

# one that ends on its own ends long before
LIMIT = 550


def environment(**more):
    """With the threads of this process: others add up in another order."""
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


def errors(done):
    return [
        line
        for _, _, err in done
        for line in err.splitlines()
        if line.startswith('error:')
    ]


def rank_of(launched, rank):
    """The process of a rank below torchrun."""
    for child in psutil.Process(launched.pid).children(recursive=True):
        try:
            if child.environ().get('RANK') == str(rank):
                return child
        except psutil.Error:
            pass  # ended meanwhile
    raise AssertionError(f'no rank {rank}')
