"""Real processes, killed at random moments and resumed."""

import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip('mmdet')

import torch

from igq_mmdet.checkpoints.file import read
from igq_mmdet.files.journal import scan

from ..conftest import ROOT
from .conftest import FEW

SETTINGS = 'layerwise,igq:8'
IMAGES = 3 * 8  # of float and two settings


def command(work_dir, *args):
    return subprocess.Popen(
        [sys.executable, 'tools/ptq_coco.py', '--compare', SETTINGS]
        + ['--work-dir', work_dir, *args, '--cfg-options', *FEW],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process):
    out, err = process.communicate()
    assert process.returncode == 0, err
    return out, err


def images_kept(work_dir):
    return sum(
        line.entry is not None and 'img_id' in line.entry
        for path in (work_dir / 'predictions').glob('*.jsonl')
        for line in scan(path)
    )


def kill(process, work_dir, images, number, after):
    """Sends a signal, some time after so many images were finished."""
    line = process.stdout.readline()
    assert line.startswith('calibration images'), process.communicate()
    while images_kept(work_dir) < images:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    time.sleep(after)
    process.send_signal(number)
    _, err = process.communicate()
    return process.returncode, err


def without_times(value):
    if isinstance(value, dict):
        return {
            key: without_times(one)
            for key, one in value.items()
            if 'seconds' not in key
        }
    if isinstance(value, list):
        return [without_times(one) for one in value]
    return value


@pytest.mark.slow
def test_killed_again_and_again(tmp_path):
    """Metrics, report and predictions are those of one straight run."""
    straight, broken = tmp_path / 'straight', tmp_path / 'broken'
    finished(command(straight))
    draw = random.Random(6)
    # the first hits calibration, the others every third of the images
    kills = [
        (0, signal.SIGTERM),
        (draw.randrange(1, 8), signal.SIGKILL),
        (draw.randrange(8, 16), signal.SIGINT),
        (draw.randrange(16, 19), signal.SIGKILL),
    ]
    for number, (images, kind) in enumerate(kills):
        process = command(broken, *['--resume'] * (number > 0))
        before = images_kept(broken)
        after = draw.uniform(0, 0.05)
        status, err = kill(process, broken, images, kind, after)
        assert 'Traceback' not in err
        if kind == signal.SIGKILL:
            assert status == -signal.SIGKILL
        else:
            assert status == 128 + kind
            last = err.splitlines()[-1]
            assert last.startswith('interrupted') and '--resume' in last
            assert str(broken) in last
            assert not list(broken.rglob('.*.tmp'))
        assert before <= images_kept(broken) < IMAGES
    out, err = finished(command(broken, '--resume'))
    assert 'layerwise W4A4: 8 of 8 images are finished' in err
    reports = [
        without_times(json.loads((folder / 'igq_report.json').read_text()))
        for folder in (straight, broken)
    ]
    assert reports[0] == reports[1]
    names = sorted(p.name for p in (straight / 'predictions').iterdir())
    assert names == ['float.jsonl', 'igq-8-w4a4.jsonl', 'layerwise-w4a4.jsonl']
    for name in names:
        one, other = (
            [
                without_times(line.entry)
                for line in scan(folder / 'predictions' / name)
            ]
            for folder in (straight, broken)
        )
        assert one == other
    # resumed once more, nothing is left to do
    out, err = finished(command(broken, '--resume'))
    assert 'W4A4' in out or 'igq' in out
    assert 'calibration:' not in err and ' 1/8 ' not in err


@pytest.mark.slow
def test_killed_while_weights_are_rounded(tmp_path):
    """Layers that were rounded stay so, and the result is the same."""
    more = ('--weights', 'ridge+gptq', '--skip-float', '--skip-sqnr')
    more += ('--include', 'backbone.stages.0*', 'neck.fpn*')
    straight, broken = tmp_path / 'straight', tmp_path / 'broken'
    finished(command(straight, *more))
    process = command(broken, *more)
    while len(list(broken.rglob('*.st'))) < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert list(broken.rglob('*.st'))
    finished(command(broken, *more, '--resume'))
    assert not list(broken.rglob('*.st'))  # the checkpoint has them
    files = list((straight / 'calibrated').glob('*.safetensors'))
    assert len(files) == 2  # of layerwise and of igq:8
    for path in files:
        again = broken / 'calibrated' / path.name
        one, other = read(path), read(again)
        for name, value in one.tensors.items():
            assert torch.equal(other.tensors[name], value), name
