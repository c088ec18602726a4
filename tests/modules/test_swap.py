"""The source model stays as it was; what is shared stays shared."""

import copy

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.modules import QuantConv2d, QuantLinear
from igq_mmdet.modules.swap import quantized_layers


class Shared(nn.Module):
    """One layer under two names, one head for two levels."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)
        self.second = self.first
        self.tower = nn.Sequential(nn.Linear(4, 4), nn.ReLU())
        self.towers = nn.ModuleList([self.tower, self.tower])

    def forward(self, x):
        for module in (self.first, self.second, *self.towers):
            x = module(x)
        return x


def test_shared_layers_stay_shared(rand):
    model, x = Shared(), rand(2, 3, 4)
    qmodel = igq.quantize(model, igq.QuantSpec(groups=2))
    assert qmodel.first is qmodel.second
    assert qmodel.towers[0] is qmodel.towers[1] is qmodel.tower
    assert list(quantized_layers(qmodel)) == ['first', 'tower.0']
    torch.testing.assert_close(qmodel(x), model(x))
    igq.calibrate(qmodel, [x])
    assert qmodel.first.workload.sizes == {'tokens': 2 * 3}  # both calls
    assert qmodel(x).isfinite().all()


def test_shared_layers_survive_a_checkpoint(rand, tmp_path):
    model, x = Shared(), rand(2, 3, 4)
    qmodel = igq.quantize(model, igq.QuantSpec(groups=2))
    igq.calibrate(qmodel, [x])
    igq.save(qmodel, tmp_path / 'm.safetensors')
    again = igq.load(model, tmp_path / 'm.safetensors')
    assert again.first is again.second
    assert torch.equal(again(x), qmodel(x))


def test_the_source_is_left_as_it_was(rand):
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(2), nn.Linear(4, 2))
    before = copy.deepcopy(model)
    qmodel = igq.quantize(model, igq.QuantSpec(groups=2))
    igq.calibrate(qmodel, [rand(2, 3, 4, 4)])
    assert str(model) == str(before)
    for key, value in before.state_dict().items():
        assert torch.equal(model.state_dict()[key], value)
    own = {p.data_ptr() for p in model.parameters()}
    assert not own & {t.data_ptr() for t in qmodel.state_dict().values()}


def test_the_model_may_be_one_layer(rand):
    x = rand(2, 3, 4)
    layer = nn.Linear(4, 2)
    qlayer = igq.quantize(layer, igq.QuantSpec(groups=2))
    assert isinstance(qlayer, QuantLinear)
    igq.calibrate(qlayer, [x])
    assert qlayer(x).shape == (2, 3, 2)


def test_mode_is_kept():
    model = nn.Sequential(nn.Linear(4, 2), nn.Conv2d(3, 4, 3))
    assert igq.quantize(model, igq.QuantSpec())[0].training
    qmodel = igq.quantize(model.eval(), igq.QuantSpec())
    assert not qmodel[0].training and not qmodel[0].input_quantizer.training


def test_subclasses_are_left_alone():
    """A subclass may compute anything; only named classes are swapped."""

    class Odd(nn.Linear):
        def forward(self, x):
            return super().forward(x) + 1

    model = nn.Sequential(Odd(4, 2), nn.Linear(2, 2))
    qmodel = igq.quantize(model, igq.QuantSpec())
    assert type(qmodel[0]) is Odd and type(qmodel[1]) is QuantLinear


def test_wrappers_of_mmcv_are_known(rand):
    wrappers = pytest.importorskip('mmcv.cnn.bricks.wrappers')
    model = nn.Sequential(
        wrappers.Conv2d(3, 4, 3),
        wrappers.ConvTranspose2d(4, 4, 2),
        nn.Flatten(2),
        wrappers.Linear(9, 2),
    )
    qmodel = igq.quantize(model, igq.QuantSpec())
    assert type(qmodel[0]) is QuantConv2d
    assert len(quantized_layers(qmodel)) == 3
    x = rand(1, 3, 4, 4)
    torch.testing.assert_close(qmodel(x), model(x))
