"""Time goes to the innermost kind, and nothing is counted twice."""

import itertools

import pytest
import torch
from torch import nn

from benchmarks.kinds import BETWEEN, REST, TOTAL, Profile, totals


class Part(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.fc = nn.Linear(4, 4)

    def forward(self, x):
        return self.fc(self.norm(x))


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = Part()
        self.rpn_head = nn.Conv2d(1, 1, 1)

    def predict(self, x):
        x = self.backbone(x)
        return self.rpn_head(x[:, None])


@pytest.fixture
def profiled():
    ticks = itertools.count()
    model = Detector()
    profile = Profile(model, lambda: float(next(ticks)))
    x = torch.zeros(2, 3, 4)
    yield profile.run(lambda: model.predict(x)), model, profile


def test_seconds_by_part_and_kind(profiled):
    seconds, model, profile = profiled
    # the clock ticks once whenever a module is entered or left
    assert seconds == {
        ('backbone', 'LayerNorm'): 1.0,
        ('backbone', 'fully connected'): 1.0,
        ('backbone', REST): 3.0,
        ('rpn', 'convolution'): 1.0,
        (BETWEEN, REST): 3.0,
    }
    profile.close()
    assert not any(m._forward_hooks for m in model.modules())


def test_totals():
    one = {('a', 'x'): 1.0, ('a', 'y'): 2.0, ('b', 'x'): 4.0}
    two = {('a', 'x'): 10.0, ('b', 'x'): 40.0}
    assert totals([one, two], by=0) == {
        'a': [3.0, 10.0],
        'b': [4.0, 40.0],
        TOTAL: [7.0, 50.0],
    }
    assert totals([one, two], by=1) == {
        'x': [5.0, 50.0],
        'y': [2.0, 0.0],
        TOTAL: [7.0, 50.0],
    }
    assert totals([one], by=1, part='a') == {
        'x': [1.0],
        'y': [2.0],
        TOTAL: [3.0],
    }
