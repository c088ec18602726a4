"""Finding the detector under what wraps it."""

import pytest
from torch import nn

pytest.importorskip('mmdet')

from types import SimpleNamespace

from mmdet.models import DetTTAModel
from mmengine.model import BaseModel

from igq_mmdet.detection.models.inner_detector import (
    inner_detector,
    put_inner_detector,
)


class Plain(BaseModel):
    def forward(self, inputs, data_samples=None, mode='tensor'):
        return inputs


def parallel(model):
    return nn.DataParallel(model)


def augmented(model):
    return DetTTAModel(module=model)


@pytest.mark.parametrize(
    'wrappers',
    [(), (parallel,), (augmented,), (augmented, parallel)],
    ids=['none', 'parallel', 'tta', 'both'],
)
def test_swap(wrappers):
    first, second = Plain(), Plain()
    model = first
    for wrap in wrappers:
        model = wrap(model)
    runner = SimpleNamespace(model=model)
    assert inner_detector(runner.model) is first
    put_inner_detector(runner, second)
    assert inner_detector(runner.model) is second
    if wrappers:
        assert runner.model is model
    put_inner_detector(runner, first)
    assert inner_detector(runner.model) is first
