"""The environment report of ``python -m igq_mmdet``."""

import os
import subprocess
import sys

import torch

import igq_mmdet as igq
from igq_mmdet.__main__ import report
from igq_mmdet.commands import usable as module
from igq_mmdet.commands.usable import usable

from .conftest import ROOT


def test_report(capsys):
    report()
    lines = capsys.readouterr().out.splitlines()
    shown = {line[:22].rstrip(): line[22:] for line in lines}
    assert shown['igq_mmdet'] == igq.__version__
    assert shown['torch'] and shown['python']
    assert shown['device'].endswith(f'{os.cpu_count()} cores')
    used = torch.backends.cpu.get_cpu_capability()
    assert f'torch uses {used}' in shown['instruction sets']
    assert 'usable:' in lines
    for one in usable():
        answer = 'yes' if one.works else 'no'
        line = f'  {one.name:<22}{answer:<5}{one.detail}'.rstrip()
        assert line in lines


def test_limits_of_the_processor_are_named():
    """What `make test-lesser` sets shows in the report, and works."""
    limits = {
        'ATEN_CPU_CAPABILITY': 'default',
        'ONEDNN_MAX_CPU_ISA': 'SSE41',
        'MKL_ENABLE_INSTRUCTIONS': 'AVX2',
        'IGQ_MMDET_ISA': 'none',
    }
    done = subprocess.run(
        [sys.executable, '-m', 'igq_mmdet'],
        cwd=ROOT,
        env={**os.environ, **limits},
        capture_output=True,
        text=True,
    )
    (line,) = [
        x for x in done.stdout.splitlines() if x.startswith('instruction sets')
    ]
    _, torchs, *named = line.split('; ')
    assert torchs == 'torch uses DEFAULT'
    assert named == [f'{name}={value}' for name, value in limits.items()]


def test_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(module.BACKENDS, 'NoBackend', 'no_such.module')
    monkeypatch.setenv('IGQ_MMDET_ISA', 'none')
    monkeypatch.setitem(sys.modules, 'timm', None)
    found = {one.name: one for one in usable()}
    assert not found['NoBackend'].works
    assert found['NoBackend'].detail == 'module is not installed'
    assert not found['compiled kernels'].works
    assert 'no instruction set is allowed' in found['compiled kernels'].detail
    assert not found['classifiers'].works
    assert 'timm' in found['classifiers'].detail
    assert found['configs and demo'].works


def test_without_openmmlab():
    code = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('mmengine', 'mmcv', 'mmdet'):
            raise ModuleNotFoundError(f'No module named {name!r}')

sys.meta_path.insert(0, Refuse())
import runpy
runpy.run_module('igq_mmdet', run_name='__main__')
"""
    done = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    (line,) = [x for x in done.stdout.splitlines() if 'detectors' in x]
    assert line.split()[:2] == ['detectors', 'no'] and 'mmcv' in line
