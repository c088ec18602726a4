"""Quantized models under ``torch.jit.trace``."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT


def test_a_traced_model_computes_the_same():
    pytest.importorskip('timm')
    command = '-X faulthandler -m tests.modules.traced_model'.split()
    run = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-2000:]
