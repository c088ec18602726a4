"""Progress: a bar on a terminal, few lines in a log."""

import io
import re
import subprocess
import time

import pytest

from igq_mmdet.jobs import progress
from igq_mmdet.jobs.progress import Progress, busy

from ..conftest import ROOT


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """Time that only the test moves."""
    now = [0.0]
    monkeypatch.setattr(progress.time, 'monotonic', lambda: now[0])
    return now


def numbers(text):
    assert '\r' not in text and '\n\n' not in text
    assert text.endswith('\n')
    return [
        (int(line[1]), int(line[2]), int(line[3]))
        for line in re.finditer(
            r'^float: (\d+)% (\d+)/(\d+) \S+ \[\S+<\S+\]$', text, re.MULTILINE
        )
    ]


@pytest.mark.parametrize('total', [1, 3, 10, 56, 5000])
def test_a_line_a_tenth(total, clock):
    """However many steps: at most eleven lines, the last one at the end."""
    log = io.StringIO()
    for _ in Progress(range(total), desc='float', file=log):
        pass
    found = numbers(log.getvalue())
    assert len(found) == log.getvalue().count('\n') == min(total, 10) + 1
    assert found[0] == (0, 0, total)
    assert found[-1] == (100, total, total)
    # the first step with which a tenth is full
    for tenth in range(1, 11):
        first = -(-total * tenth // 10)
        assert first in [n for _, n, _ in found]


def test_a_line_every_30_seconds(clock):
    log = io.StringIO()
    with Progress(total=1000, desc='float', file=log) as bar:
        for _ in range(90):
            clock[0] += 1
            bar.update()
    assert [n for _, n, _ in numbers(log.getvalue())] == [0, 30, 60, 90]


def test_several_steps_at_once(clock):
    log = io.StringIO()
    with Progress(total=100, desc='float', file=log) as bar:
        for _ in range(4):
            bar.update(25)
    assert [n for _, n, _ in numbers(log.getvalue())] == [0, 25, 50, 75, 100]


def test_a_terminal_gets_the_bar():
    screen = Terminal()
    for _ in Progress(range(3), desc='float', file=screen):
        pass
    assert '\r' in screen.getvalue() and '3/3' in screen.getvalue()


def test_quiet(capsys):
    for _ in Progress(range(3), disable=True):
        pass
    with busy('loading', disable=True):
        pass
    assert capsys.readouterr() == ('', '')


def test_without_a_total():
    log = io.StringIO()
    for _ in Progress(iter('abc'), desc='float', file=log):
        pass
    assert log.getvalue().startswith('float: 0') and '\r' not in log.getvalue()


def test_busy_says_so_again(capsys):
    with busy('loading', every=0.01):
        while capsys.readouterr().err.count('loading: 0 s\n') < 2:
            time.sleep(0.05)


def test_busy_ends_with_an_error(capsys):
    with pytest.raises(ZeroDivisionError), busy('loading', every=0.01):
        raise ZeroDivisionError
    capsys.readouterr()
    time.sleep(0.05)
    assert capsys.readouterr().err == ''


def test_nothing_else_draws_bars():
    """Only one file may know tqdm, so that no other fills a log."""
    found = subprocess.run(
        ['grep', '-rlE', 'import tqdm|from tqdm', '--include=*.py']
        + ['igq_mmdet', 'tools', 'demo', 'benchmarks'],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout.split()
    assert found == ['igq_mmdet/jobs/progress.py']
