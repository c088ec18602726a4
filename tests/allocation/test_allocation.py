"""Allocation on a small classifier, against the naive way."""

import dataclasses

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.allocation.allocation import allocate
from igq_mmdet.allocation.divergence import divergence, predict_classes
from igq_mmdet.allocation.perturbation import Perturbation
from igq_mmdet.calibration.calibrate import fit, freeze
from igq_mmdet.calibration.collect import collect
from igq_mmdet.modules.swap import quantized_layers

SPEC = igq.QuantSpec(w_bits=8, a_bits=3, groups=4)
CANDIDATES = (2, 4, 8)


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(12)
        self.fc1 = nn.Linear(12, 24)
        self.fc2 = nn.Linear(24, 12)

    def forward(self, x):
        return x + self.fc2(torch.relu(self.fc1(self.norm(x))))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 12, 4, 4)
        self.blocks = nn.ModuleList(Block() for _ in range(3))
        self.head = nn.Linear(12, 5)

    def forward(self, images):
        x = self.stem(images).flatten(2).transpose(1, 2)
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(1))


@pytest.fixture
def net():
    """In float64, so that no code lies on the edge of another."""
    torch.manual_seed(0)
    model = Net().eval().double()
    with torch.no_grad():
        for block in model.blocks:
            block.norm.weight.copy_(torch.exp(torch.randn(12)))
        model.head.weight.mul_(5)
    return model


@pytest.fixture
def batches():
    torch.manual_seed(1)
    return [torch.randn(1, 3, 16, 16).double() for _ in range(2)]


def naive(model, batches, name, groups, others):
    """One whole forward pass a layer, candidate and image."""
    spec = dataclasses.replace(SPEC, layer_groups={name: groups})
    total = 0.0
    for batch in batches:
        qmodel = igq.quantize(model, spec)
        fit(qmodel, collect(igq.quantize(model, spec), batches))
        if others == 'target':
            freeze(qmodel)
        else:
            layers = quantized_layers(qmodel)
            for other, layer in layers.items():
                for key, quantizer in layer.quantizers().items():
                    grouped = other == name and key == layer.grouped_key
                    quantizer.ready = grouped
        with torch.no_grad():
            total += divergence([model(batch)], [qmodel(batch)])[0]
    return total / len(batches)


@pytest.mark.parametrize('others', ['target', 'float'])
@pytest.mark.parametrize('copies', [1, 3])
def test_table_equals_the_naive_way(net, batches, others, copies):
    found = allocate(
        net,
        SPEC,
        batches,
        candidates=CANDIDATES,
        others=others,
        copies=copies,
    )
    assert set(found.table) == {
        *(f'blocks.{i}.fc{j}' for i in range(3) for j in (1, 2)),
        'head',
    }
    for name, row in found.table.items():
        for groups, kl in row.items():
            expected = naive(net, batches, name, groups, others)
            assert kl == pytest.approx(expected, rel=1e-4, abs=1e-9)


def test_budget_is_held_and_kl_does_not_rise(net, batches):
    found = allocate(net, SPEC, batches, candidates=CANDIDATES)
    assert found.layerwise_bops < found.bops <= found.budget
    assert found.predicted[1] <= found.predicted[0]
    assert found.measured[1] <= found.measured[0]
    assert found.spec.layer_groups.keys() == found.table.keys()
    qmodel = igq.quantize(net, found.spec)
    igq.calibrate(qmodel, batches)
    for name, groups in found.spec.layer_groups.items():
        layer = qmodel.get_submodule(name)
        assert layer.input_quantizer.groups == groups


def test_blocks_before_the_layer_do_not_run(net, batches):
    runs = dict.fromkeys(range(3), 0)

    def count(index):
        def hook(*_):
            runs[index] += 1

        return hook

    spec = SPEC
    statistics = collect(igq.quantize(net, spec), batches)
    work = Perturbation(net, spec, statistics, predict_classes, CANDIDATES)
    for index in range(3):
        layer = work.qmodel.get_submodule(f'blocks.{index}.fc1')
        layer.register_forward_hook(count(index))
    with torch.no_grad():
        reference = [net(batches[0])]
    prepared = work.prepare(batches[0], reference)
    # once, and once with two copies, to see where copies lie
    assert runs == {0: 2, 1: 2, 2: 2}
    prepared.measure('blocks.2.fc2')
    assert runs == {0: 2, 1: 2, 2: 3}
    prepared.measure('head')
    assert runs == {0: 2, 1: 2, 2: 3}


def test_interrupted_it_goes_on(net, batches, tmp_path):
    whole = allocate(net, SPEC, batches, candidates=CANDIDATES)

    def stop_after(count):
        def wrap(jobs):
            for done, job in enumerate(jobs):
                if done == count:
                    raise KeyboardInterrupt
                yield job

        return wrap

    folder = str(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        allocate(
            net,
            SPEC,
            batches,
            candidates=CANDIDATES,
            folder=folder,
            progress=stop_after(5),
        )
    again = allocate(net, SPEC, batches, candidates=CANDIDATES, folder=folder)
    assert again.table == whole.table
    assert again.spec == whole.spec
    assert again.forwards < whole.forwards
    (file,) = tmp_path.iterdir()
    assert len(file.read_text().splitlines()) == 2 * len(whole.table)


def test_what_cannot_be_allocated(net, batches):
    with pytest.raises(igq.IGQError, match='not among the candidates'):
        allocate(net, SPEC, batches, candidates=(8, 12))
    layerwise = dataclasses.replace(SPEC, method='layerwise')
    with pytest.raises(igq.IGQError, match='needs a method with groups'):
        allocate(net, layerwise, batches, candidates=CANDIDATES)
    with pytest.raises(igq.IGQError, match='others must be'):
        allocate(net, SPEC, batches, candidates=CANDIDATES, others='nothing')
    for wrong in ((1, 4), (4, 4), (4, 8.0), (4, True)):
        with pytest.raises(igq.IGQError, match='candidates must be'):
            allocate(net, SPEC, batches, candidates=wrong)
