import os
import re
import signal
import subprocess
import sys
import time

import pytest

from igq_mmdet.commands.command import run_command
from igq_mmdet.errors import DataError

from ..conftest import ROOT


def test_status_is_that_of_the_command():
    assert run_command(lambda status: status, 3) == 3
    assert run_command(lambda *, status: status, status=None) == 0


def test_error_is_one_line(capsys):
    def fail():
        raise DataError('a.json: broken\n  at line 3;   fix it')

    assert run_command(fail) == 1
    out, err = capsys.readouterr()
    assert (out, err) == ('', 'error: a.json: broken at line 3; fix it\n')


def test_bugs_pass_through():
    with pytest.raises(ZeroDivisionError):
        run_command(lambda: 1 / 0)


WAITS = """
import sys, time
from igq_mmdet.commands.command import run_command

def wait():
    print('ready', flush=True)
    time.sleep(60)

sys.exit(run_command(wait))
"""


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
def test_interrupted_process(number):
    process = subprocess.Popen(
        [sys.executable, '-c', WAITS],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == 'ready\n'
    time.sleep(0.1)
    os.kill(process.pid, number)
    out, err = process.communicate(timeout=30)
    assert (out, err) == ('', 'interrupted\n')
    assert process.returncode == 128 + number


def test_every_tool_ends_this_way():
    tools = {path: path.read_text() for path in ROOT.glob('tools/*.py')}
    # torchrun.py starts processes and runs nothing of the package itself
    ours = {path: text for path, text in tools.items() if 'igq_mmdet' in text}
    assert len(ours) == len(tools) - 1
    for path, text in ours.items():
        assert 'return run_command(' in text, path.name
        assert not re.search(r'except (igq\.)?IGQError', text), path.name
