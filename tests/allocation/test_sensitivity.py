"""Sensitivity on a small classifier, against hooks on the float model."""

import copy

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.allocation.divergence import divergence, predict_classes
from igq_mmdet.allocation.sensitivity import fitted, items, only, sensitivity

SPEC = igq.QuantSpec(w_bits=3, a_bits=3, groups=2, input_bits=3)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 4, 4)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(12), nn.Linear(12, 12), nn.ReLU())
            for _ in range(2)
        )
        self.head = nn.Linear(12, 5)
        self.aside = nn.Linear(12, 3)

    def forward(self, images):
        x = self.stem(images).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = x + block(x)
        self.aside(x)  # seen in calibration, not in the classes
        return self.head(x.mean(1))


@pytest.fixture
def net():
    """In float64, so that no code lies on the edge of another."""
    torch.manual_seed(0)
    return Net().eval().requires_grad_(False).double()


@pytest.fixture
def batches():
    torch.manual_seed(1)
    return [torch.randn(1, 3, 16, 16).double() for _ in range(2)]


def by_hooks(net, batches, item, calibrated):
    """KL and SQNR with one input or weight replaced in a float copy."""
    model = copy.deepcopy(net)
    layer = model.get_submodule(item.layer)
    quantized = calibrated.get_submodule(item.layer)
    powers = [0.0, 0.0]

    def note(values, replaced):
        powers[0] += float(values.double().square().sum())
        powers[1] += float((values - replaced).double().square().sum())

    if item.kind == 'weights':
        weight = quantized.effective_weight()
        note(layer.weight, weight)
        layer.weight = nn.Parameter(weight, requires_grad=False)
    elif item.kind == 'conv_input':

        def replace(module, args):
            out = quantized.input_quantizer(args[0])
            note(args[0], out)
            return out

        layer.register_forward_pre_hook(replace)
    else:

        def replace(module, args):
            flat = args[0].reshape(-1, args[0].shape[-1])
            out = quantized.input_quantizer(flat).view_as(args[0])
            note(args[0], out)
            return out

        layer.register_forward_pre_hook(replace)
    kl = [divergence([net(x)], [model(x)])[0] for x in batches]
    sqnr = 10 * torch.tensor(powers[0] / powers[1]).log10().item()
    return sum(kl) / len(kl), sqnr


def test_every_item_equals_hooks_on_the_float_model(net, batches):
    calibrated = igq.quantize(net, SPEC)
    igq.calibrate(calibrated, batches)
    found = sensitivity(net, SPEC, batches, predict=predict_classes)
    assert [(one.item.layer, one.item.kind) for one in found] == [
        ('stem', 'conv_input'),
        ('stem', 'weights'),
        ('blocks.0.1', 'fc_input'),
        ('blocks.0.1', 'weights'),
        ('blocks.1.1', 'fc_input'),
        ('blocks.1.1', 'weights'),
        ('head', 'fc_input'),
        ('head', 'weights'),
        ('aside', 'fc_input'),
        ('aside', 'weights'),
    ]
    for one in found:
        kl, sqnr = by_hooks(net, batches, one.item, calibrated)
        assert one.sqnr == pytest.approx(sqnr, rel=1e-4)
        if one.item.layer == 'aside':
            assert one.kl is None and kl == 0
        else:
            assert kl > 1e-6
            assert one.kl == pytest.approx(kl, rel=1e-3)


def test_without_predictions_there_is_no_kl(net, batches):
    found = sensitivity(net, SPEC, batches)
    assert all(one.kl is None for one in found)
    assert all(one.sqnr > 3 for one in found)


@torch.no_grad()
def test_only_leaves_the_rest_in_float_and_puts_back(net, batches):
    statistics = igq.calibrate(igq.quantize(net, SPEC), batches)
    model = fitted(net, SPEC, statistics)
    expected = net(batches[0])
    torch.testing.assert_close(model(batches[0]), expected)
    before = model(batches[0])
    with only(model, items(model)):
        assert not torch.allclose(model(batches[0]), expected, rtol=1e-3)
    assert torch.equal(model(batches[0]), before)


def test_interrupted_it_goes_on(net, batches, tmp_path):
    def run(progress):
        return sensitivity(
            net,
            SPEC,
            batches,
            predict=predict_classes,
            folder=str(tmp_path),
            progress=progress,
        )

    def stop(jobs):
        for done, job in enumerate(jobs):
            if done == 7:
                raise KeyboardInterrupt
            yield job

    with pytest.raises(KeyboardInterrupt):
        run(stop)
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().splitlines()) == 7
    whole = sensitivity(net, SPEC, batches, predict=predict_classes)
    assert run(iter) == whole
    assert len(file.read_text().splitlines()) == 2 * len(whole)
