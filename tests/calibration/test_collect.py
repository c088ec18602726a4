"""One float pass gathers what every setting needs."""

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from benchmarks.memory import tensor_bytes
from igq_mmdet.calibration import collect, fit
from igq_mmdet.calibration.collect import call, collect_share, images_in
from igq_mmdet.errors import CalibrationError
from igq_mmdet.modules.swap import quantized_layers
from igq_mmdet.observers.channel_ranges import ChannelRanges


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.Flatten(2), nn.Linear(36, 6), nn.ReLU()
    )


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 3, 8, 8, generator=generator)


def test_the_pass_is_float_and_leaves_no_trace(model, images):
    qmodel = igq.quantize(model.train(), igq.QuantSpec(groups=3))
    outputs = []

    def forward(model, batch):
        assert not model.training
        outputs.append(model(batch))

    statistics = collect(qmodel, [images], forward)
    assert torch.equal(outputs[0], model(images))
    assert not outputs[0].requires_grad
    assert qmodel.training and statistics.images == 5
    for layer in quantized_layers(qmodel).values():
        assert not layer.observing
        for quantizer in layer.quantizers().values():
            assert quantizer.observer is None and not quantizer.ready


def test_batches_do_not_matter(model, images):
    spec = igq.QuantSpec(groups=3)
    states = []
    for size in (1, 2, 5):
        qmodel = igq.quantize(model, spec)
        igq.calibrate(qmodel, images.split(size))
        states.append(qmodel.state_dict())
    for state in states[1:]:
        for key, value in states[0].items():
            torch.testing.assert_close(state[key], value, rtol=1e-6, atol=1e-6)


SHARES = [(1, 2, 2), (0, 5), (5, 0, 0), (4, 1)]


@pytest.mark.parametrize('sizes', SHARES)
def test_shares_of_the_images_give_the_same_bits(sizes, one_thread):
    """Every statistic there is, in attention as in a Swin block."""
    timm = pytest.importorskip('timm')
    torch.manual_seed(0)
    model = timm.create_model('test_vit', num_classes=4, img_size=64)
    images = torch.randn(5, 3, 64, 64)
    specs = [
        igq.QuantSpec(method=method, groups=3)
        for method in ('igq', 'layerwise', 'consecutive', 'repq')
    ]
    first, *others = (igq.quantize(model, spec) for spec in specs)
    whole = collect(first, images.split(1), models=others)
    parts = [
        collect_share(
            first, share.split(1) if len(share) else [], call, others
        )
        for share in images.split(sizes)
    ]
    for part in parts[1:]:
        parts[0].merge(part)
    parts[0].require()
    assert parts[0].images == 5 and parts[0].workloads == whole.workloads
    kinds = {kind for kinds in whole.observers.values() for kind in kinds}
    assert len(kinds) >= 4, kinds
    for spec in specs:
        one, other = igq.quantize(model, spec), igq.quantize(model, spec)
        fit(one, whole)
        fit(other, parts[0])
        state = other.state_dict()
        for key, value in one.state_dict().items():
            assert torch.equal(value, state[key]), key


def test_an_empty_set_of_shares_is_refused(model):
    parts = [collect_share(igq.quantize(model, igq.QuantSpec()), [])] * 2
    parts[0].merge(parts[1])
    with pytest.raises(CalibrationError, match='set is empty'):
        parts[0].require()


def test_one_pass_serves_several_settings(model, images):
    specs = [
        igq.QuantSpec(method='igq', groups=3, a_bits=6),
        igq.QuantSpec(method='igq', groups=2),
        igq.QuantSpec(method='layerwise'),
        igq.QuantSpec(method='upper_bound'),
    ]
    first, *others = (igq.quantize(model, spec) for spec in specs)
    shared = collect(first, [images], models=others)
    for spec, qmodel in zip(specs, [first, *others], strict=True):
        alone = igq.quantize(model, spec)
        fit(alone, collect(alone, [images]))
        fit(qmodel, shared)
        for key, value in alone.state_dict().items():
            assert torch.equal(qmodel.state_dict()[key], value), key


@pytest.mark.parametrize(
    'method', ['igq', 'layerwise', 'sorted', 'repq', 'upper_bound']
)
def test_memory_does_not_grow_with_images(model, monkeypatch, method):
    monkeypatch.setattr(ChannelRanges, 'LIMIT', 100)  # 3 images of 36

    def kept(images):
        def batches():
            for seed in range(images):
                generator = torch.Generator().manual_seed(seed)
                yield torch.randn(1, 3, 8, 8, generator=generator)

        qmodel = igq.quantize(model, igq.QuantSpec(groups=3, method=method))
        statistics = collect(qmodel, batches())
        fit(qmodel, statistics)
        assert statistics.images == images
        return tensor_bytes(statistics.observers)

    # points until there are too many, then cells of three numbers
    few, many = kept(2), kept(40)
    assert many <= few + 100 * 16 + 4 * 36 * 8
    assert kept(400) <= many + 100 * 16


def test_workloads_are_counted(model, images):
    qmodel = igq.quantize(model, igq.QuantSpec())
    statistics = collect(qmodel, images.split(2))
    conv, linear = statistics.workloads['0'], statistics.workloads['2']
    assert conv.calls == linear.calls == 3
    assert conv.sizes == {'macs': 5 * 36 * 8 * 27}
    assert linear.sizes == {'tokens': 5 * 8}


def test_no_images(model):
    qmodel = igq.quantize(model, igq.QuantSpec())
    with pytest.raises(CalibrationError, match='calibration set is empty'):
        igq.calibrate(qmodel, [])


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_bad_numbers_name_the_layer_and_leave_the_model(model, images, bad):
    with torch.no_grad():
        model[2].weight[0, 0] = bad
        model.append(nn.Linear(6, 2))
    qmodel = igq.quantize(model, igq.QuantSpec(groups=2))
    match = '^NaN or infinity at 4.input_quantizer '
    with pytest.raises(CalibrationError, match=match):
        igq.calibrate(qmodel, [images])
    assert torch.equal(qmodel[0](images), model[0](images))


class Unused(nn.Module):
    def __init__(self):
        super().__init__()
        self.used = nn.Linear(4, 4)
        self.never = nn.Linear(4, 4)
        self.nothing = nn.Linear(4, 4)

    def forward(self, x, skip=True):
        self.nothing(x[:0])
        return self.used(x) if skip else self.never(x)


def test_a_layer_never_called_is_named():
    qmodel = igq.quantize(Unused(), igq.QuantSpec())
    with pytest.raises(CalibrationError, match='^never saw no data'):
        igq.calibrate(qmodel, [torch.randn(2, 4)])
    assert not qmodel.used.frozen


def test_a_layer_called_without_tokens_is_named():
    spec = igq.QuantSpec(exclude=['never'])
    qmodel = igq.quantize(Unused(), spec)
    match = '^nothing.input_quantizer saw no data'
    with pytest.raises(CalibrationError, match=match):
        igq.calibrate(qmodel, [torch.randn(2, 4)])
    assert not qmodel.used.input_quantizer.ready  # all of them or none
    assert not qmodel.used.frozen


def test_calibrating_twice_is_refused(model, images):
    qmodel = igq.quantize(model, igq.QuantSpec(groups=2))
    igq.calibrate(qmodel, [images])
    with pytest.raises(CalibrationError, match='is calibrated already'):
        igq.calibrate(qmodel, [images])


def test_batches_of_any_form():
    x = torch.zeros(3, 4)
    assert call(lambda x, skip: skip, {'x': x, 'skip': 7}) == 7
    assert call(lambda x, skip: skip, (x, 8)) == 8
    assert call(lambda x: x, x) is x
    assert images_in(x) == images_in((x, 5)) == images_in({'x': x}) == 3
    assert images_in({'inputs': [x[0], x[0]], 'data_samples': None}) == 2
    assert images_in('a') == 1
