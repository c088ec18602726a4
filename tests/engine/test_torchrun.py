"""Small jobs below tools/torchrun.py, whose ranks end as programs do."""

import sys

import pytest

pytest.importorskip('mmdet')

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


@pytest.mark.parametrize('script', [LATE, SLOW], ids=['late', 'slow'])
def test_an_error_is_told_once(script, tmp_path):
    (tmp_path / 'job.py').write_text(script)
    launch = ['tools/torchrun.py', '--standalone', '--nproc_per_node=2']
    argv = [sys.executable, *launch, tmp_path / 'job.py']
    done = end([start(argv, environment())])
    assert done[0][0] == 1, done
    assert errors(done) == ['error: no such picture'], done
    assert 'terminate' not in done[0][2]
