"""GPTQ against columns taken one by one, and what it is for."""

import pytest
import torch

from igq_mmdet.errors import SpecError
from igq_mmdet.methods import ROUNDINGS
from igq_mmdet.methods.gptq import DAMPING, factorised, push_errors
from igq_mmdet.open_registry import OpenRegistry
from igq_mmdet.quantizers import dequantize_weight, qparams
from tests import oracle


def slow_codes(weight, hessian, scale, zero_point, bits):
    """Optimal brain surgery: rounds a column, mends the rest, drops it."""
    size = len(hessian)
    damping = DAMPING * float(hessian.diagonal().double().mean())
    damped = hessian.double() + damping * torch.eye(size)
    order = sorted(range(size), key=lambda c: -float(hessian[c, c]))
    inverse = torch.linalg.inv(damped)
    rest, codes = weight.double().clone(), torch.zeros(weight.shape)
    for place, c in enumerate(order):
        for d in range(len(weight)):
            step, zero = float(scale[d]), float(zero_point[d])
            code = oracle.quantize(float(rest[d, c]), step, zero, bits)
            codes[d, c] = code
            error = rest[d, c] - oracle.dequantize(code, step, zero)
            for later in order[place:]:
                rest[d, later] -= error * inverse[c, later] / inverse[c, c]
        column = inverse[:, c].clone()
        inverse -= torch.outer(column, column) / inverse[c, c]
        inverse[c, c] = 1.0  # never looked at again
    return codes


def correlated(rand, rows, size):
    """Inputs of a layer whose channels go together."""
    return rand(rows, size, spread=0.3) @ rand(size, size)


def error(weight, found, inputs):
    codes, scale, zero_point = found
    off = dequantize_weight(codes, scale, zero_point) - weight
    return float((inputs @ off.T).double().square().mean())


@pytest.mark.parametrize('bits', [2, 4, 8])
@pytest.mark.parametrize('size', [1, 7, 150])
def test_codes_equal_columns_one_by_one(rand, bits, size):
    weight, x = rand(3, size), correlated(rand, 2 * size, size)
    hessian = x.T @ x / len(x)
    scale, zero_point = qparams(
        weight.amin(1, keepdim=True), weight.amax(1, keepdim=True), bits
    )
    factor = factorised(hessian)[1]
    found = push_errors(
        weight.double(),
        scale.double()[None],
        zero_point.double()[None],
        bits,
        factor,
    )
    assert torch.equal(
        found[0].float(),
        slow_codes(weight, hessian, scale, zero_point, bits),
    )


def test_candidates_do_not_meet(rand):
    weight, x = rand(5, 9), correlated(rand, 40, 9)
    factor = factorised(x.T @ x)[1]
    pairs = [
        qparams(share * weight.amin(1), share * weight.amax(1), 3)
        for share in (1.0, 0.6)
    ]
    scale, zero_point = (
        torch.stack(both)[..., None].double()
        for both in zip(*pairs, strict=True)
    )
    both = push_errors(weight.double(), scale, zero_point, 3, factor)
    for own, (s, z) in enumerate(zip(scale, zero_point, strict=True)):
        alone = push_errors(weight.double(), s[None], z[None], 3, factor)
        assert torch.equal(both[own], alone[0])


@pytest.mark.parametrize('scope', ['channel', 'layer'])
@pytest.mark.parametrize('bits', [2, 3, 4, 6])
def test_outputs_are_nearer_than_with_nearest_codes(rand, config, bits, scope):
    weight, x = rand(8, 24), correlated(rand, 200, 24)
    settings = config(w_bits=bits, weight_scope=scope)
    hessian = x.T @ x / len(x)
    found = ROUNDINGS.build('gptq')(weight, settings, hessian)
    nearest = ROUNDINGS.build('nearest')(weight, settings)
    assert found[0].dtype == torch.uint8 and int(found[0].max()) < 2**bits
    assert error(weight, found, x) < 0.8 * error(weight, nearest, x)


def test_the_percentile_that_counts_is_taken(rand, config):
    weight, x = rand(6, 40), correlated(rand, 200, 40)
    weight[:3] = weight[:3].sign()  # nothing to clip
    hessian = x.T @ x / len(x)
    all_of_them = (0, 0.5, 5, 10)
    rounding = ROUNDINGS.build('gptq')
    alone = [
        rounding(weight, config(w_bits=3, weight_percentiles=(p,)), hessian)
        for p in all_of_them
    ]
    damped = factorised(hessian)[0]
    losses = []
    for found in alone:
        off = (dequantize_weight(*found) - weight).double()
        losses.append((off @ damped @ off.T).diagonal())
    best = torch.stack(losses).argmin(0)
    assert len(best.unique()) > 1
    settings = config(w_bits=3, weight_percentiles=all_of_them)
    together = rounding(weight, settings, hessian)
    for channel, chosen in enumerate(best):
        for got, expected in zip(together, alone[chosen], strict=True):
            assert torch.equal(got[channel], expected[channel])


def test_without_a_hessian_codes_are_nearest(rand, config):
    weight = rand(4, 6)
    nearest = ROUNDINGS.build('nearest')(weight, config())
    for hessian in (None, torch.zeros(6, 6)):
        found = ROUNDINGS.build('gptq')(weight, config(), hessian)
        for got, expected in zip(found, nearest, strict=True):
            assert torch.equal(got, expected)


def test_inputs_that_are_always_zero_take_the_nearest_code(rand, config):
    weight, x = rand(4, 6), correlated(rand, 50, 6)
    x[:, 2] = 0
    settings = config(weight_percentiles=(0,))
    found = ROUNDINGS.build('gptq')(weight, settings, x.T @ x)
    nearest = ROUNDINGS.build('nearest')(weight, settings)
    assert torch.equal(found[0][:, 2], nearest[0][:, 2])


def test_damping_rises_until_it_factorises(rand):
    broken = torch.eye(5)
    broken[0, 1] = broken[1, 0] = 3.0  # an eigenvalue of -2
    damped, (order, upper) = factorised(broken)
    assert torch.linalg.eigvalsh(damped).min() > 0
    inverse = torch.linalg.inv(damped)[order][:, order]
    torch.testing.assert_close(upper.T @ upper, inverse)
    assert torch.equal(upper, upper.triu())


def test_names_of_steps():
    assert {'gptq', 'ridge+gptq'} < set(ROUNDINGS)
    registry = OpenRegistry('weights', object, steps=True)
    registry.register_module('a+b2', module=int)
    for wrong in ('a+', '+a', 'a++b', 'a+2'):
        with pytest.raises(SpecError, match='with a letter first'):
            registry.register_module(wrong, module=int)
