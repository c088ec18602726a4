"""What compares two computations notices a fault in one of them."""

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.modules.instances import Instances, instances
from igq_mmdet.modules.layers import conv
from igq_mmdet.modules.layers.rescale import rescale
from tests.agreement import BETWEEN, each_alone, near


class Net(nn.Module):
    """Tokens of images, the last of which are padding, and an attention."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 12, 4, 4)
        self.attn = nn.MultiheadAttention(12, 3, batch_first=True)
        self.norm = nn.LayerNorm(12)
        self.head = nn.Linear(12, 5)

    def forward(self, images):
        x = self.conv(images).flatten(2).transpose(1, 2)
        with instances(tokens=12):
            x = x + self.attn(x, x, x)[0]
            return self.head(self.norm(x))


@pytest.fixture
def case():
    torch.manual_seed(0)
    model, images = Net().eval(), torch.randn(3, 3, 16, 16)
    images *= torch.tensor([0.2, 1.0, 5.0]).view(3, 1, 1, 1)
    images[..., 12:, :] *= 10  # the last row of tokens, which is padding
    qmodel = igq.quantize(model, igq.QuantSpec(groups=4))
    igq.calibrate(qmodel, [images])
    return qmodel, images


def test_without_a_fault_a_batch_is_its_images(case):
    qmodel, images = case
    batch, alone = each_alone(qmodel, qmodel, images, images.split(1))
    near(torch.cat(alone), batch, BETWEEN)


@pytest.mark.parametrize('fault', ['image', 'channel', 'padding'])
def test_groups_by_the_statistics_of(fault, case, monkeypatch):
    """Wrong ones, wherever images come together."""
    split = Instances.split

    def wrong(layout, x):
        values, counted = zip(*split(layout, x), strict=True)
        if len(x) > 1:
            counted = {
                'image': counted[-1:] + counted[:-1],
                'channel': [tokens.roll(1, -1) for tokens in counted],
                'padding': values,
            }[fault]
        return zip(values, counted, strict=True)

    monkeypatch.setattr(Instances, 'split', wrong)
    qmodel, images = case
    with pytest.raises(AssertionError, match='differ|other codes'):
        each_alone(qmodel, qmodel, images, images.split(1))


def test_a_scale_of_another_channel(case, monkeypatch):
    """That of an output channel of the convolution's weight."""

    def wrong(sums, scale, *args):
        return rescale(sums, scale.roll(len(sums) - 1), *args)

    monkeypatch.setattr(conv, 'rescale', wrong)
    qmodel, images = case
    with pytest.raises(AssertionError, match='output of conv'):
        each_alone(qmodel, qmodel, images, images.split(1))


def test_a_layer_that_mixes_images_in_float(case, monkeypatch):
    qmodel, images = case
    norm = qmodel.norm.forward
    monkeypatch.setattr(
        qmodel.norm, 'forward', lambda x: norm(x + 1e-2 * x.mean(0))
    )
    with pytest.raises(AssertionError, match='input of head'):
        each_alone(qmodel, qmodel, images, images.split(1))
