"""Every command of the pages runs, or the table says where or why not."""

import functools
import importlib.util
import os
import shlex
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from ..few import few
from ..tools.conftest import plain_configs  # noqa: F401
from .not_here import ELSEWHERE, MISSING
from .pages import PAGES, ROOT, commands

pytest.importorskip('mmdet')

CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo.py'
CHECKPOINT = 'demo/swin_mini_mask_rcnn.safetensors'
FEW = ['--cfg-options', *few(2)]

# The same command on two pages is run once.
ALL: dict[str, str] = {}
for page in PAGES:
    if (ROOT / page).is_file():
        for line in commands(page):
            ALL.setdefault(line, page)
RUN = [
    line
    for line in ALL
    if line not in ELSEWHERE and not line.startswith(tuple(MISSING))
]
# what a page says -> what makes it short, on the demo
WORDS = {
    'CONFIG': CONFIG,
    'CHECKPOINT': CHECKPOINT,
    'DIR': 'work_dirs/own',
    '128': '8',  # the demo's calibration images are eight
    'tensorboard,mlflow': 'tensorboard,mlflow,wandb,local',
    'demo/images': 'demo/images/000000000030.jpg',
}
SEEDS = {'2', '4', '7', '11'}  # two of them do


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('commands')


def as_argv(line, folder):
    """The command on the demo, writing to a folder of the test."""
    argv = [WORDS.get(word, word) for word in shlex.split(line)]
    if '--seed' in argv:
        at = argv.index('--seed')
        argv[at:] = [word for word in argv[at:] if word not in SEEDS]
    if not {'tools/ptq_coco.py', 'tools/dist_ptq.sh'}.isdisjoint(argv):
        if '--work-dir' not in argv:
            argv += ['--work-dir', 'work_dirs/ptq']
        argv += ['--quiet', *FEW]
    if 'tools/compare.py' in argv:
        argv += ['--images', '1', '--out', 'work_dirs/compare']
    if argv[0] in ('python', '.venv/bin/python'):
        argv[0] = sys.executable
    return [
        str(folder / word)
        if word.startswith('work_dirs/') or word == 'q.safetensors'
        else word
        for word in argv
    ]


def test_there_are_commands():
    assert len(RUN) > 8


@pytest.mark.slow
@pytest.mark.parametrize('line', RUN)
def test_runs(line, folder, monkeypatch, capfd):
    monkeypatch.chdir(ROOT)
    program, *argv = as_argv(line, folder)
    if program == sys.executable and argv[0].startswith('tools/'):
        # in this process: importing mmdet takes longer than most commands
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # a Runner was built before
            status = tool(argv[0]).main(argv[1:])
        if 'wandb' in sys.modules:
            sys.modules['wandb'].teardown()  # what it writes is then there
    else:
        # dist_ptq.sh takes its interpreter from PYTHON
        own = {'PYTHONPATH': str(ROOT), 'PYTHON': sys.executable}
        status = subprocess.run(
            [program, *argv], env={**os.environ, **own}, timeout=600
        ).returncode
    assert status == 0, (
        f'{ALL[line]}: {line}\n{capfd.readouterr().err[-2000:]}'
    )


@functools.cache
def tool(path):
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(('line', 'where'), ELSEWHERE.items())
def test_another_test_runs_the_tool(line, where):
    text = (ROOT / where).read_text()
    words = line.split()
    tool = next((w for w in words if w.endswith('.py')), words[-1])
    name = words[2] if '-m' in words else os.path.basename(tool)
    assert name.removesuffix('.py') in text, f'{where} does not run {name}'


@pytest.mark.parametrize('line', ELSEWHERE)
def test_the_table_has_no_leftovers(line):
    assert line in ALL
