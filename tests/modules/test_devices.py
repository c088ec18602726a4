"""Other devices, without one.

On ``meta`` it is an error to ask for a value, which is where Python would
wait for a device. Fake tensors on ``cuda`` would need a driver.
"""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import igq_mmdet as igq
from igq_mmdet.methods import METHODS
from igq_mmdet.modules import instances

SHIPPED = [
    *('igq', 'igq_integral', 'layerwise', 'repq'),
    *('consecutive', 'sorted', 'upper_bound'),
]


class Net(nn.Module):
    """Tokens of images, some of which do not count, and an attention."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 4, 4)
        self.attn = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)
        self.up = nn.ConvTranspose2d(5, 4, 2, 2)

    def forward(self, images):
        x = self.conv(images).flatten(2).transpose(1, 2)
        keep = torch.arange(16, device=x.device) < 12
        with instances(keep=keep.expand(len(x), -1)):
            x = x + self.attn(x, x, x)[0]
            x = self.head(self.norm(x))
        return self.up(x.transpose(1, 2).unflatten(2, (4, 4)))


def calibrated(method):
    model, images = Net().eval(), torch.randn(3, 3, 16, 16)
    model = igq.quantize(model, igq.QuantSpec(method=method, groups=4))
    igq.calibrate(model, [images])
    return model, images


class OneDevice(TorchDispatchMode):
    """Every tensor that an operation takes or makes is on ``meta``."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        for x in tree_leaves((args, kwargs, out)):
            if isinstance(x, torch.Tensor):
                assert x.is_meta or not x.dim(), func
        return out


def test_all_methods_are_here():
    assert set(SHIPPED) <= set(METHODS.module_dict)


@pytest.mark.parametrize('integer', [False, True])
@pytest.mark.parametrize('method', SHIPPED)
@torch.no_grad()
def test_nothing_waits_and_nothing_is_made_elsewhere(method, integer):
    model, images = calibrated(method)
    wanted = model(images)
    if integer:
        model = igq.to_integer(model)
    model, images = model.to('meta'), images.to('meta')
    assert model(images).shape == wanted.shape
    with OneDevice():
        out = model(images)
    assert out.is_meta and out.shape == wanted.shape


@pytest.mark.parametrize('method', SHIPPED)
@torch.no_grad()
def test_what_other_devices_compute_is_what_a_cpu_does(method, monkeypatch):
    """The same expressions, on a CPU that is taken for another device."""
    from igq_mmdet.kernels import guard
    from igq_mmdet.methods import repq
    from igq_mmdet.modules.layers import grouped_product, linear, rescale
    from igq_mmdet.quantizers import softmax, uniform, weight

    model, images = calibrated(method)
    wanted = model(images)
    for module in (repq, linear, rescale, uniform, weight):
        assert module.without_values is guard.without_values
        monkeypatch.setattr(module, 'without_values', lambda x: True)
    for module in (grouped_product, softmax):
        monkeypatch.setattr(module, 'standard_only', lambda x: True)
    torch.testing.assert_close(model(images), wanted, rtol=1e-4, atol=1e-4)
