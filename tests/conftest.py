"""Threads, hypothesis and fixtures that several tests share."""

import os
import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

from igq_mmdet import QuantSpec
from igq_mmdet.methods import METHODS, ROUNDINGS
from igq_mmdet.modules import LayerConfig

ROOT = Path(__file__).resolve().parents[1]

torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '2')))
settings.register_profile('igq', deadline=None, derandomize=True)
settings.load_profile('igq')


def pytest_collection_modifyitems(items):
    """Files with slow tests first: what several workers end with is short."""
    slow = {item.path for item in items if item.get_closest_marker('slow')}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def seeded():
    """mmengine's Runner draws its seed, and leaves torch with it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture
def one_thread():
    """Threads split sums, and a code at a rounding edge falls elsewhere."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def config():
    """Makes a LayerConfig; what is not said is small and IGQ."""

    def make(**changes):
        fields = dict(
            name='layer',
            part='model',
            method='igq',
            w_bits=4,
            a_bits=4,
            groups=4,
            strict_zero_point=False,
            weight_percentiles=QuantSpec().weight_percentiles,
        )
        return LayerConfig(**{**fields, **changes})

    return make


@pytest.fixture
def own_files(monkeypatch):
    """Where a researcher's files are; what they add is taken back."""
    folder = ROOT / 'tests/methods'
    monkeypatch.syspath_prepend(folder)
    yield folder
    METHODS.module_dict.pop('mine', None)
    ROUNDINGS.module_dict.pop('by_max', None)
    for name in ('my_method', 'my_rounding'):
        sys.modules.pop(name, None)


@pytest.fixture
def rand():
    """Seeded normal numbers with channels of uneven ranges."""
    generator = torch.Generator().manual_seed(0)

    def make(*shape, spread=1.0, shift=0.0):
        values = torch.randn(*shape, generator=generator)
        gains = torch.randn(shape[-1], generator=generator) * spread
        offsets = torch.randn(shape[-1], generator=generator) * shift
        return values * gains.exp() + offsets

    return make


@pytest.fixture(scope='session')
def demo_model():
    """The demo's config of a real mmdet Mask R-CNN, random weights."""
    pytest.importorskip('mmdet')
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope

    path = ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'
    init_default_scope('mmdet')
    torch.manual_seed(0)
    return MODELS.build(Config.fromfile(path).model).eval()
