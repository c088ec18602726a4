"""What is said of a file that computes something else."""

import math

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.errors import ExportError
from igq_mmdet.export.check import APART, RUNTIMES, check


@pytest.fixture
def model():
    torch.manual_seed(0)
    made = igq.quantize(nn.Linear(6, 4), igq.QuantSpec(groups=2))
    igq.calibrate(made, [torch.randn(5, 6)])
    return made


def said(model, monkeypatch, change):
    """Of a runtime that gives what ``change`` makes of the outputs."""

    def load(path):
        return lambda x: [change(model(x))]

    monkeypatch.setitem(RUNTIMES, 'ONNX Runtime', ('torch', load))
    monkeypatch.delitem(RUNTIMES, 'OpenVINO')
    (found,) = check(model, 'm.onnx', [torch.ones(3, 6), torch.ones(1, 6)])
    return found


def test_the_same(model, monkeypatch):
    found = said(model, monkeypatch, lambda y: y)
    assert (found.largest, found.share) == (0.0, 0.0)


def test_one_value_of_each(model, monkeypatch):
    def change(y):
        y = y.clone()
        y[0, 0] += 0.5 * y.abs().max()
        return y

    found = said(model, monkeypatch, change)
    assert found.largest == pytest.approx(0.5)
    assert found.share == pytest.approx(2 / 16)


def test_what_rounding_makes_is_not_counted(model, monkeypatch):
    found = said(model, monkeypatch, lambda y: y + 0.5 * APART * y.abs().max())
    assert found.share == 0 < found.largest


def test_nan_is_no_agreement(model, monkeypatch):
    found = said(model, monkeypatch, lambda y: y * math.nan)
    assert (found.largest, found.share) == (math.inf, 1.0)


def test_zeros(model, monkeypatch):
    model.forward = lambda x: torch.zeros(len(x), 4)
    assert said(model, monkeypatch, lambda y: y).largest == 0.0
    monkeypatch.undo()
    found = said(model, monkeypatch, lambda y: y + 2)
    assert (found.largest, found.share) == (2.0, 1.0)


def test_other_shapes(model, monkeypatch):
    with pytest.raises(ExportError, match=r'gives \(4,\), the model \(3, 4\)'):
        said(model, monkeypatch, lambda y: y[0])
