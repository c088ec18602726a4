"""Small jobs below tools/torchrun.py, whose ranks end as programs do."""

import signal
import sys
import time

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.jobs.interruption import SIGNALS

from .real_processes import end, environment, errors, rank_of, start

pytestmark = pytest.mark.slow

# rank 1 is heard when the interpreter of rank 0 is half gone
LATE = """
import sys, time
from mmengine.dist import get_rank
from igq_mmdet.commands.command import run_command
from igq_mmdet.jobs.launch import processes
from igq_mmdet.jobs.ranks import on_main
from igq_mmdet.jobs.watch import Watch
from igq_mmdet.errors import DataError

def picture():
    raise DataError('no such picture')

def main():
    with processes('pytorch'):
        if get_rank() == 1:
            said = Watch._say
            Watch._say = lambda *args: (time.sleep(1.5), said(*args))
        on_main(picture)

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(4)

slow = Slow()
sys.exit(run_command(main))
"""

# rank 1 is through at once; what rank 0 has to say takes longer
SLOW = """
import os, signal, sys, time
from mmengine.dist import get_rank
from igq_mmdet.commands.command import run_command
from igq_mmdet.jobs.launch import processes
from igq_mmdet.jobs.ranks import on_main
from igq_mmdet.errors import DataError

def picture():
    raise DataError('no such picture')

def main():
    try:
        with processes('pytorch'):
            on_main(picture)
    except DataError:
        time.sleep(3)
        raise
    except SystemExit:
        os._exit(1)

sys.exit(run_command(main))
"""


# what scancel and Ctrl-C do
WAITS = """
import pathlib, sys, time
from mmengine.dist import get_rank
from igq_mmdet.commands.command import run_command
from igq_mmdet.jobs.launch import processes
from igq_mmdet.jobs.ranks import on_every
from igq_mmdet.jobs.interruption import advising

def main():
    with processes('pytorch'), advising('start again'):
        on_every(get_rank)
        pathlib.Path(__file__).with_name(f'ready{get_rank()}').touch()
        time.sleep(500)

sys.exit(run_command(main))
"""

# likewise, with loader workers, which inherit what their rank holds; small
# items, since workers that wait for a full pipe outlive it
LOADS = WAITS.replace(
    """        time.sleep(500)
""",
    """        from torch.utils.data import DataLoader
        loader = DataLoader(
            [torch.zeros(1000)] * 4, num_workers=2, persistent_workers=True
        )
        while True:
            for item in loader:
                time.sleep(0.1)
                pathlib.Path(__file__).with_name(f'on{get_rank()}').touch()
""",
).replace('import pathlib', 'import torch, pathlib')


# killed between reaching for what a worker made and saying which it wants,
# which that worker's thread then takes for an error
REACHES = LOADS.replace(
    'def main():',
    """def reach(ident):
    connection = Client(ident[0], authkey=current_process().authkey)
    pathlib.Path(__file__).with_name(f'on{get_rank()}').touch()
    time.sleep(500)

_ResourceSharer.get_connection = staticmethod(reach)

def main():""",
).replace(
    'import torch, pathlib',
    """from multiprocessing import current_process
from multiprocessing.connection import Client
from multiprocessing.resource_sharer import _ResourceSharer
import torch, pathlib""",
)


def launch(script, folder):
    (folder / 'job.py').write_text(script)
    argv = ['tools/torchrun.py', '--standalone', '--nproc_per_node=2']
    return start([sys.executable, *argv, folder / 'job.py'], environment())


@pytest.mark.parametrize('script', [LATE, SLOW], ids=['late', 'slow'])
def test_an_error_is_told_once(script, tmp_path):
    done = end([launch(script, tmp_path)])
    assert done[0][0] == 1, done
    assert errors(done) == ['error: no such picture'], done
    assert 'terminate' not in done[0][2]


def wait_for(pattern, folder, launched):
    while len(list(folder.glob(pattern))) < 2:
        assert launched.poll() is None, launched.communicate()
        time.sleep(0.05)


@pytest.mark.parametrize('number', SIGNALS)
@pytest.mark.parametrize(
    'script, ready',
    [(WAITS, 'ready?'), (LOADS, 'on?')],
    ids=['waits', 'loads'],
)
def test_an_interruption_is_told_once(script, ready, number, tmp_path):
    launched = launch(script, tmp_path)
    wait_for(ready, tmp_path, launched)
    launched.send_signal(number)
    ((status, _, err),) = end([launched])
    assert status == 128 + number
    assert err == 'interrupted; start again\n', signal.Signals(number).name


@pytest.mark.parametrize('rank', [0, 1])
def test_a_kill_shows_past_workers_that_live(rank, tmp_path):
    launched = launch(REACHES, tmp_path)
    wait_for('on?', tmp_path, launched)
    rank_of(launched, rank).kill()
    done = end([launched])
    assert done[0][0] == 1, done
    assert errors(done) == [
        f'error: rank {rank} was killed by SIGKILL; all ranks stop, start '
        'the job again'
    ], done
    assert 'Traceback' not in done[0][2]
