import pytest
import torch

import igq_mmdet as igq
from igq_mmdet.calibration import fit_groups
from igq_mmdet.methods.igq import ChannelGroupQuantizer
from igq_mmdet.methods.igq_integral import (
    IntegralGroupQuantizer,
    fit_integral,
    max_multiple,
)
from igq_mmdet.methods.layerwise import StaticQuantizer


def fitted(lower, upper, groups, bits, strict=False):
    quantizer = IntegralGroupQuantizer(bits, groups, strict)
    quantizer.set_bounds(*fit_integral(lower, upper, groups, bits, strict))
    return quantizer


def distance(lower, upper, quantizer):
    """Mean squared distance of the points to the nearest group."""
    low = lower.double()[:, None] - quantizer.lower.double()
    high = upper.double()[:, None] - quantizer.upper.double()
    return float((low.square() + high.square()).amin(1).mean())


def uneven(rand, count):
    span = torch.exp(rand(count, spread=0.3))
    middle = rand(count, spread=0.0) * span
    return middle - span, middle + span


@pytest.mark.parametrize('bits', [2, 3, 4, 6, 8])
@pytest.mark.parametrize('groups', [2, 8, 12])
def test_bounds_are_integers_times_the_base(rand, bits, groups):
    lower, upper = uneven(rand, 200)
    quantizer = fitted(lower, upper, groups, bits)
    multiple, base = quantizer.multiple, quantizer.base_scale
    assert multiple.min() >= 1 and multiple.max() <= max_multiple(bits)
    torch.testing.assert_close(
        quantizer.lower, -quantizer.zero_point * multiple * base
    )
    torch.testing.assert_close(
        quantizer.upper,
        (2**bits - 1 - quantizer.zero_point) * multiple * base,
    )


def test_joint_choice_beats_rounding_free_groups(rand):
    lower, upper = uneven(rand, 300)
    free = fit_groups(lower, upper, 8)
    step = (free.upper - free.lower) / 15
    base = step.amax() / 17
    multiple = torch.round(step / base).clamp(1, 17)
    zero_point = torch.round(-free.lower / (multiple * base))
    rounded = ChannelGroupQuantizer(4, 8)
    rounded.set_bounds(
        (-zero_point * multiple * base).float(),
        ((15 - zero_point) * multiple * base).float(),
    )
    joint = fitted(lower, upper, 8, 4)
    assert distance(lower, upper, joint) < distance(lower, upper, rounded)


@pytest.mark.parametrize('groups', [8, 12])
def test_four_bit_groups_are_nearly_free(rand, groups):
    lower, upper = uneven(rand, 300)
    free = fit_groups(lower, upper, groups)
    joint = fitted(lower, upper, groups, 4)
    assert distance(lower, upper, joint) < 1.25 * distance(lower, upper, free)


@pytest.mark.parametrize('value', [0.0, 3.0, -1e-6])
def test_constant_channels_are_finite_and_close(value):
    constant = torch.full((10,), value)
    quantizer = fitted(constant, constant, 4, 4)
    x = constant.expand(3, 10).contiguous()
    torch.testing.assert_close(quantizer(x), x, rtol=1e-4, atol=1e-6)


def test_a_far_constant_keeps_zero_points_exact():
    lower = torch.tensor([1000.0, 1000.0, -1e-4])
    upper = torch.tensor([1000.0, 1000.001, 1e-4])
    quantizer = fitted(lower, upper, 2, 4)
    assert quantizer.zero_point.abs().max() < 2**24
    assert torch.isfinite(quantizer(torch.stack([lower, upper]))).all()


def test_strict_zero_points_are_codes(rand):
    lower, upper = uneven(rand, 100)
    quantizer = fitted(lower + 5, upper + 5, 6, 4, strict=True)
    assert quantizer.zero_point.min() >= 0
    assert quantizer.zero_point.max() <= 15


def test_deterministic(rand):
    lower, upper = uneven(rand, 100)
    first, second = (fit_integral(lower, upper, 6, 4) for _ in range(2))
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


def test_verbs_and_names(rand, tmp_path):
    model = torch.nn.Sequential(torch.nn.Linear(12, 7), torch.nn.Linear(7, 3))
    spec = igq.QuantSpec(method='igq_integral', groups=3)
    qmodel = igq.quantize(model, spec)
    igq.calibrate(qmodel, [rand(2, 5, 12)])
    assert isinstance(qmodel[0].input_quantizer, IntegralGroupQuantizer)
    x = rand(1, 5, 12)
    igq.save(qmodel, tmp_path / 'q.safetensors')
    again = igq.load(model, tmp_path / 'q.safetensors')
    assert torch.equal(again(x), qmodel(x))
    assert igq.summary(qmodel)['model'].groups == (3,)
    from igq_mmdet.report.report import run_name

    assert run_name(spec) == 'igq_integral:3 W4A4'
    single = igq.quantize(
        model, igq.QuantSpec(method='igq_integral', groups=1)
    )
    assert isinstance(single[0].input_quantizer, StaticQuantizer)
