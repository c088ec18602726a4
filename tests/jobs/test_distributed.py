"""Real processes, joined by gloo on this machine."""

import json
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip('mmdet')

import torch

from igq_mmdet.checkpoints.file import read

from ..conftest import ROOT
from ..detection.conftest import CONFIG, FLOAT
from ..few import few
from .real_processes import end, environment, errors, rank_of, start

pytestmark = pytest.mark.slow

FEW = few(5)


def arguments(folder, *more, options=()):
    """Of ptq_coco.py."""
    folder.mkdir(exist_ok=True)
    return [
        *('--calib-images', 3, '--save', folder / 'q.safetensors'),
        *('--work-dir', folder / 'work', *more),
        *('--cfg-options', *FEW, *options),
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
    assert lines[-1].startswith('report: ')
    differences = [ln for ln in lines if ln.startswith('difference [')]
    assert len(lines) == 11 and len(differences) == 1


def test_weights_rounded_on_shares_of_the_images(tmp_path):
    """Sums in float64 are taken in another order."""
    more = ('--weights', 'ridge+gptq', '--skip-float', '--include')
    more += ('backbone.stages.0*', 'roi_head.bbox_head*')
    argv = [sys.executable, 'tools/ptq_coco.py', CONFIG, FLOAT]
    alone = start(argv + arguments(tmp_path / 'one', *more), environment())
    pair = dist_ptq(tmp_path / 'two', 2, '--calib-parallel', *more)
    done = end([alone, pair])
    assert all(status == 0 for status, _, _ in done), done
    first, second = (
        read(tmp_path / name / 'q.safetensors') for name in ('one', 'two')
    )
    assert first.spec == second.spec and first.spec.weights == 'ridge+gptq'
    assert first.tensors.keys() == second.tensors.keys()
    for name, value in first.tensors.items():
        other = second.tensors[name]
        if name.endswith('weight_codes'):
            assert (value == other).float().mean() > 0.99, name
        elif name.endswith('quantizer.lower'):
            assert torch.equal(value, other), name


def test_killed_under_torchrun(tmp_path):
    many = few(24)  # not over too soon
    launched = dist_ptq(tmp_path, 2, '--skip-float', options=many)
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
        "custom_imports = dict(imports=['tests.jobs.rank_hooks'])\n"
        "custom_hooks = [dict(type='DisturbRank1')]\n"
    )
    done = end([dist_ptq(tmp_path, 2, '--skip-float', config=config)])
    assert done[0][0] == 1
    assert len(errors(done)) == 1, done
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
from tests.jobs.rank_hooks import gloo_for_stock_runner

config = Config.fromfile(sys.argv[1])
Runner.from_cfg(gloo_for_stock_runner(config)).test()
"""


def test_hook_in_a_stock_runner(few_images, calibrated, tmp_path):
    config = few_images()
    config.work_dir = str(tmp_path / 'work')
    config.load_from = str(ROOT / FLOAT)
    config.custom_imports = dict(imports=['tests.jobs.rank_hooks'])
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
    done = end(
        [
            start(
                [sys.executable, '-c', STOCK, tmp_path / 'config.py'],
                environment(
                    RANK=rank,
                    LOCAL_RANK=rank,
                    WORLD_SIZE=2,
                    STORE=tmp_path / 'store',
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
    assert run['metrics'] == calibrated.numbers
    made = read(tmp_path / 'q.safetensors').tensors
    expected = read(calibrated.path).tensors
    assert made.keys() == expected.keys()
    assert all(torch.equal(made[key], expected[key]) for key in made)
