"""Weights rounded in the order of the forward, on what layers get to see."""

import copy

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.calibration import fit, freeze, quantize, round_weights
from igq_mmdet.calibration.collect import call, collect
from igq_mmdet.calibration.rounding import lone_layers
from igq_mmdet.calibration.waves import plan_waves
from igq_mmdet.calibration.waves import weighted_layers as weighted
from igq_mmdet.methods import ROUNDINGS
from igq_mmdet.methods.gptq import DAMPING
from igq_mmdet.quantizers import dequantize_weight

SPEC = dict(w_bits=3, a_bits=4, groups=3)


class Branched(nn.Module):
    """Layers called in another order than they are held, one twice."""

    def __init__(self):
        super().__init__()
        self.last = nn.Linear(16, 4)
        self.shared = nn.Linear(16, 16)
        self.first = nn.Linear(12, 16)
        self.never = nn.Linear(3, 3)

    def forward(self, x):
        x = self.first(x).relu()
        x = self.shared(x).relu() + self.shared(x.flip(1))
        return self.last(x)


@pytest.fixture
def net():
    return Branched().eval()


@pytest.fixture
def images(rand):
    return list((rand(6, 40, 12) @ rand(12, 12)).split(1))


def spec(**changes):
    return igq.QuantSpec(exclude=['never'], **{**SPEC, **changes})


def calibrated(net, images, **changes):
    qmodel = quantize(net, spec(**changes))
    igq.calibrate(qmodel, images)
    return qmodel


def off(net, qmodel, images):
    """Mean squared error of the outputs."""
    x = torch.cat(images)
    with torch.no_grad():
        return float((net(x) - qmodel(x)).square().mean())


def test_layers_come_in_the_order_of_calls(net, images):
    qmodel = quantize(net, spec())
    waves = plan_waves(qmodel, weighted(qmodel), images, call)
    assert [wave.layers for wave in waves] == [
        ('first',),
        ('shared',),
        ('last',),
    ]
    assert [wave.stop for wave in waves] == [
        ('shared', 1),
        ('last', 1),
        None,
    ]
    assert [wave.calls for wave in waves] == [1, 3, 4]


@pytest.mark.parametrize('weights', ['gptq', 'ridge+gptq'])
def test_against_whole_passes_and_plain_sums(net, images, weights):
    """One layer after another, all tokens in one matrix."""
    found = calibrated(net, images, weights=weights)
    qmodel = quantize(net, spec(weights=weights))
    fit(qmodel, collect(qmodel, images))
    for name in ('first', 'shared', 'last'):
        layer = getattr(qmodel, name)
        inputs = {key: [] for key in ('float', 'quantized')}
        for key, model in (('float', net), ('quantized', qmodel)):
            handle = getattr(model, name).register_forward_hook(
                lambda layer, args, y, kept=inputs[key]: kept.append(args[0])
            )
            with torch.no_grad():
                for image in images:
                    model(image)
            handle.remove()
        x = torch.cat(
            [layer.quantize_input(x)[0] for x in inputs['quantized']]
        )
        hessian = x.double().T @ x.double() / len(x)
        weight = getattr(net, name).weight.detach()
        target, share = weight.double(), estimate(hessian, len(x))
        size = len(hessian)
        mean = hessian.diagonal().mean() * torch.eye(size).double()
        if weights == 'ridge+gptq':
            y = torch.cat([x[0] for x in inputs['float']]) @ weight.T
            near = (share + 0.05) * mean
            left = (1 - share) * hessian + near
            right = (1 - share) * y.double().T @ x.double() / len(x)
            target = torch.linalg.solve(
                left, (right + weight @ near.float()).T
            ).T
        layer.freeze((1 - share) * hessian + share * mean, target.float())
        if weights == 'ridge+gptq':
            rest = (y - x @ layer.effective_weight().T).mean(0)
            layer.bias = nn.Parameter(layer.bias + (1 - share) * rest)
        same = layer.weight_codes == getattr(found, name).weight_codes
        assert same.float().mean() > 0.99  # a code may lie on an edge
        layer.adopt_codes(
            getattr(found, name).weight_codes,
            getattr(found, name).weight_scale,
            getattr(found, name).weight_zero_point,
        )
        torch.testing.assert_close(
            layer.bias, getattr(found, name).bias, rtol=1e-3, atol=1e-3
        )
    assert DAMPING == 0.01


def estimate(hessian, rows):
    """Oracle approximating shrinkage, equation (23) of Chen et al."""
    size = len(hessian)
    square, trace = float((hessian @ hessian).trace()), float(hessian.trace())
    return min(
        1.0,
        ((1 - 2 / size) * square + trace**2)
        / ((rows + 1 - 2 / size) * (square - trace**2 / size)),
    )


def test_each_way_is_nearer_to_float(net, images):
    errors = [
        off(net, calibrated(net, images, weights=weights), images)
        for weights in ('nearest', 'gptq', 'ridge+gptq')
    ]
    assert errors[1] < 0.9 * errors[0] and errors[2] < errors[1]


def test_fewer_tokens_than_channels_do_no_harm(rand):
    """On images that were not calibrated on."""
    layer, mix = nn.Linear(64, 32).eval(), rand(64, 64)
    for seen in (1, 8, 30):
        x = rand(1, seen + 500, 64) @ mix
        images, others = [x[:, :seen].clone()], [x[:, seen:].clone()]
        errors = {}
        for weights in ROUNDINGS:
            settings = igq.QuantSpec(
                w_bits=4, a_bits=8, method='upper_bound', weights=weights
            )
            qmodel = quantize(layer, settings)
            igq.calibrate(qmodel, images)
            errors[weights] = off(layer, qmodel, others)
        assert errors['gptq'] < 1.05 * errors['nearest']
        assert errors['ridge+gptq'] < 1.05 * errors['nearest']


def test_checkpoint_and_integers(net, images, tmp_path):
    qmodel = calibrated(net, images, weights='ridge+gptq')
    path = tmp_path / 'm.safetensors'
    igq.save(qmodel, path)
    again = igq.load(net, path)
    assert again.igq_spec.weights == 'ridge+gptq'
    x = torch.cat(images)
    with torch.no_grad():
        assert torch.equal(again(x), qmodel(x))
        integer = igq.to_integer(qmodel)
        torch.testing.assert_close(integer(x), qmodel(x))


def test_the_float_model_stays(net, images):
    before = copy.deepcopy(net.state_dict())
    calibrated(net, images, weights='ridge+gptq')
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key])


def test_scales_folded_into_a_norm(rand):
    timm = pytest.importorskip('timm')
    model = timm.create_model(
        'vit_tiny_patch16_224', depth=2, embed_dim=48, num_heads=3, img_size=32
    ).eval()
    images = list(rand(4, 3, 32, 32).split(1))
    errors = [
        off(model, calibrated_plain(model, images, weights), images)
        for weights in ('nearest', 'ridge+gptq')
    ]
    assert errors[1] < errors[0]


def calibrated_plain(model, images, weights):
    settings = igq.QuantSpec(method='repq', weights=weights)
    qmodel = quantize(model, settings)
    igq.calibrate(qmodel, images)
    return qmodel


def test_images_that_come_once(net, images):
    once = quantize(net, spec(weights='gptq'))
    igq.calibrate(once, iter(images))
    assert torch.equal(
        once.shared.weight_codes,
        calibrated(net, images, weights='gptq').shared.weight_codes,
    )


def test_progress_comes_to_its_end(net, images):
    steps = []

    def bar(every):
        total = len(every)
        for step in every:
            yield step
            steps.append(total)

    qmodel = quantize(net, spec(weights='gptq'))
    twin = copy.deepcopy(qmodel)
    fit(qmodel, collect(qmodel, images))
    round_weights(qmodel, twin, images, progress=bar)
    assert steps == [len(images) * 8] * len(images) * 8
    freeze(qmodel)


def test_a_layer_that_sees_nothing_takes_nearest_codes(net, images):
    qmodel = quantize(net, spec(weights='gptq'))
    fit(qmodel, collect(qmodel, images))
    twin = quantize(net, spec(weights='gptq'))
    empty = [image[:, :0] for image in images]
    round_weights(qmodel, twin, empty)
    nearest = calibrated(net, images, weights='nearest')
    assert torch.equal(qmodel.last.weight_codes, nearest.last.weight_codes)


def test_rois_and_queries_are_the_models_own():
    model = nn.Module()
    model.roi_head = nn.Module()
    model.roi_head.bbox_roi_extractor = nn.Identity()
    assert lone_layers(model) == ('roi_head.',)
    model.as_two_stage = True
    assert lone_layers(model) == ('decoder.', 'bbox_head.', 'roi_head.')


def test_names_say_how_weights_are_rounded(net, images):
    from igq_mmdet.report import run_name

    settings = spec(weights='ridge+gptq')
    assert run_name(settings) == 'igq:3+ridge+gptq W3A4'
    layer = calibrated(net, images, weights='ridge+gptq').first
    assert dequantize_weight(
        layer.weight_codes, layer.weight_scale, layer.weight_zero_point
    ).shape == (16, 12)


class Memory(dict):
    """Stands for files; the process dies after a few waves."""

    def __init__(self, waves):
        super().__init__()
        self.waves = waves

    def put(self, name, tensors):
        self[name] = tensors
        self.waves -= 1
        if not self.waves:
            raise KeyboardInterrupt


def test_an_interrupted_pass_goes_on(net, images):
    straight = calibrated(net, images, weights='ridge+gptq')
    kept = Memory(2)

    def passes():
        seen = []
        qmodel = quantize(net, spec(weights='ridge+gptq'))
        fit(qmodel, collect(qmodel, images))
        twin = quantize(net, spec(weights='ridge+gptq'))
        twin.last.register_forward_hook(lambda *args: seen.append(args))
        round_weights(qmodel, twin, images, kept=kept)
        return qmodel, len(seen)

    with pytest.raises(KeyboardInterrupt):
        passes()
    assert set(kept) == {'first', 'shared'}
    again, count = passes()
    assert count == len(images)  # the last layer's alone
    assert set(kept) == {'first', 'shared', 'last'}
    state = again.state_dict()
    for key, value in straight.state_dict().items():
        assert torch.equal(state[key], value), key
