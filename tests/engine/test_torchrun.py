"""Small jobs below tools/torchrun.py, whose ranks end as programs do."""

import signal
import sys
import time

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.interruption import SIGNALS

from .real_processes import end, environment, errors, start

pytestmark = pytest.mark.slow

# rank 1 is heard when the interpreter of rank 0 is half gone
LATE = """
import sys, time
from mmengine.dist import get_rank
from igq_mmdet.command import run_command
from igq_mmdet.engine.launch import processes
from igq_mmdet.engine.ranks import on_main
from igq_mmdet.engine.watch import Watch
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
from igq_mmdet.command import run_command
from igq_mmdet.engine.launch import processes
from igq_mmdet.engine.ranks import on_main
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
from igq_mmdet.command import run_command
from igq_mmdet.engine.launch import processes
from igq_mmdet.engine.ranks import on_every
from igq_mmdet.interruption import advising

def main():
    with processes('pytorch'), advising('start again'):
        on_every(get_rank)
        pathlib.Path(__file__).with_name(f'ready{get_rank()}').touch()
        time.sleep(500)

sys.exit(run_command(main))
"""


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


@pytest.mark.parametrize('number', SIGNALS)
def test_an_interruption_is_told_once(number, tmp_path):
    launched = launch(WAITS, tmp_path)
    while len(list(tmp_path.glob('ready?'))) < 2:
        assert launched.poll() is None, launched.communicate()
        time.sleep(0.05)
    launched.send_signal(number)
    ((status, _, err),) = end([launched])
    assert status == 128 + number
    assert err == 'interrupted; start again\n', signal.Signals(number).name
