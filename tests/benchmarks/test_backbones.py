"""Rivals compute what float computes, or say why they are not there."""

import importlib.util
import math

import pytest
import torch
from torch import nn

from benchmarks import rivals
from benchmarks.backbones import agreement, first_line, foreign
from benchmarks.memory import tensor_bytes


def test_agreement_is_measured_map_by_map():
    maps = [torch.tensor([3.0, 4.0]), torch.tensor([8.0])]
    off = [torch.tensor([3.0, 4.5]), torch.tensor([8.0])]
    found = agreement({'float': lambda: maps, 'other': lambda: off})
    assert found['float']['sqnr'] == [None, None]
    assert found['other']['largest_error'] == [0.125, 0.0]
    ratio, nothing = found['other']['sqnr']
    assert ratio == pytest.approx(10 * math.log10(25 / 0.25))
    assert nothing is None


def test_absent_packages_are_named(monkeypatch, tmp_path):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    data = {'left_out': {}, 'prepared': {}}
    x = torch.zeros(1, 3, 8, 8)
    ticks = iter(range(9))
    runs = foreign(
        nn.Identity(), x, 1, str(tmp_path), lambda: next(ticks), data
    )
    assert runs == {} and data['prepared'] == {}
    said = 'onnx and onnxruntime are not installed (make bench)'
    assert data['left_out'] == {
        'OpenVINO float32': 'openvino is not installed (make bench)',
        'OpenVINO 8-bit (NNCF)': 'openvino is not installed (make bench)',
        'ONNX Runtime float32': said,
        'ONNX Runtime int8 (dynamic)': said,
    }
    assert rivals.versions() == {}


def test_what_fails_is_said_in_one_line(monkeypatch, tmp_path):
    def fails(*args):
        raise RuntimeError('first\nsecond')

    monkeypatch.setattr('benchmarks.backbones.openvino_rivals', fails)
    monkeypatch.setattr('benchmarks.backbones.onnx_rivals', fails)
    data = {'left_out': {}, 'prepared': {}}
    x = torch.zeros(1)
    ticks = iter(range(9))
    assert not foreign(nn.Identity(), x, 1, '', lambda: next(ticks), data)
    assert data['left_out']['OpenVINO'] == 'RuntimeError: first'
    assert first_line(ValueError()) == 'ValueError: no message'


class Maps(nn.Module):
    """Two feature maps, as a backbone has them."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 4, 4)
        self.fc = nn.Linear(16, 16)

    def forward(self, x):
        one = self.conv(x)
        return one, self.fc(one.flatten(2).transpose(1, 2))


@pytest.mark.skipif(
    rivals.missing(*rivals.PACKAGES) is not None,
    reason=f'{rivals.missing(*rivals.PACKAGES)}',
)
def test_rivals_agree_with_float(tmp_path):
    torch.manual_seed(0)
    model, x = Maps().eval(), torch.randn(1, 3, 32, 32)
    data = {'left_out': {}, 'prepared': {}}
    ticks = iter(range(9))
    with torch.no_grad():
        runs = foreign(model, x, 1, str(tmp_path), lambda: next(ticks), data)
        found = agreement({'float': lambda: model(x), **runs})
    assert not data['left_out'], data['left_out']
    for name in ('OpenVINO float32', 'ONNX Runtime float32'):
        assert max(found[name]['largest_error']) < 1e-5
    for name in (rivals.OPENVINO_8BIT, rivals.ONNX_8BIT):
        assert 25 < found[name]['sqnr'][1] < 60


def test_bytes_of_tensors():
    class Holder:
        def __init__(self):
            self.parts = [torch.zeros(3), {'x': torch.zeros(2).double()}]
            self.name = 'x'

    assert tensor_bytes({'a': Holder(), 'b': 3}) == 12 + 16
