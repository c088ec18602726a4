"""Codes are those of the oracle, whatever the range."""

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from igq_mmdet.operators import definition
from igq_mmdet.operators.values import TILE
from igq_mmdet.quantizers import (
    column_bounds,
    fake_quantize,
    max_code,
    qparams,
    quantize,
)
from tests import oracle

bits = st.integers(2, 8)
number = st.floats(-(2.0**100), 2.0**100, width=32)
near = st.floats(-50, 50, width=32)


@st.composite
def ranges(draw):
    """Lower and upper bounds: around 0, one-sided, constant, far off."""
    a, b = draw(st.one_of(st.tuples(number, number), st.tuples(near, near)))
    offset = draw(st.sampled_from([0.0, 0.0, 1e6, -1e6]))
    a, b = oracle.f32(a + offset), oracle.f32(b + offset)
    if draw(st.integers(0, 9)) == 0:
        b = a
    return min(a, b), max(a, b)


@given(ranges(), bits, st.booleans(), st.lists(number, max_size=9))
@example((3.0, 3.0), 4, False, [3.0])
@example((-3.0, -3.0), 2, True, [-3.0])
@example((0.0, 0.0), 4, False, [1.0])
@example((1e-9, 2e-9), 4, False, [1e-9])
@example((1e6, 1e6 + 0.125), 8, False, [1e6])
@example((-7.5, -0.5), 3, False, [-7.5, -0.5, 0.0])
def test_codes_equal_the_oracle(bounds, bits, strict, xs):
    lower, upper = map(torch.tensor, bounds)
    scale, zero_point = qparams(lower, upper, bits, strict)
    assert (scale.item(), zero_point.item()) == oracle.qparams(
        *bounds, bits, strict
    )
    assert abs(zero_point) < 2**24
    xs = [*xs, *bounds, (bounds[0] + bounds[1]) / 2]
    x = torch.tensor(xs)
    codes = quantize(x, scale, zero_point, bits)
    pair = scale.item(), int(zero_point)
    expected = [oracle.quantize(v, *pair, bits) for v in x.tolist()]
    assert codes.tolist() == expected
    out = fake_quantize(
        x[:, None], scale[None], zero_point[None], bits
    ).flatten()
    assert torch.isfinite(out).all()
    assert torch.equal(out, (codes - zero_point) * scale)


@given(ranges(), bits)
def test_scale_is_the_formula_to_float32(bounds, bits):
    lower, upper = bounds
    if upper - lower < 1.01 * max(1e-8, 2**-16 * max(map(abs, bounds))):
        return
    scale, _ = qparams(torch.tensor(lower), torch.tensor(upper), bits)
    exact = (upper - lower) / max_code(bits)
    assert scale.item() == pytest.approx(exact, rel=2**-22)


@given(ranges(), bits, st.floats(0, 1))
def test_error_inside_the_range_is_half_a_step(bounds, bits, where):
    lower, upper = map(torch.tensor, bounds)
    scale, zero_point = qparams(lower, upper, bits)
    x = torch.lerp(lower, upper, where).clamp(lower, upper)
    out = fake_quantize(
        x.view(1, 1), scale.view(1), zero_point.view(1), bits
    ).item()
    magnitude = max(map(abs, bounds))
    # the zero point is an integer: both ends move by half a step at most
    slack = 2.0**-16 * magnitude + 1e-8
    assert abs(out - x.item()) <= 1.001 * scale.item() + slack


@given(near, bits)
def test_a_constant_is_kept(value, bits):
    bound = torch.tensor([value])
    scale, zero_point = qparams(bound, bound, bits)
    out = fake_quantize(bound[None], scale, zero_point, bits).item()
    assert out == value or abs(value) <= 1e-8 and out == 0


def test_strict_zero_point_is_clipped():
    lower, upper = torch.tensor([2.0, -3.0]), torch.tensor([3.0, -2.0])
    _, free = qparams(lower, upper, 4)
    _, strict = qparams(lower, upper, 4, strict_zero_point=True)
    assert free.tolist() == [-30, 45]
    assert strict.tolist() == [0, 15]


def test_halves_round_to_even():
    x = torch.tensor([0.5, 1.5, 2.5, -0.5])
    codes = quantize(x, torch.tensor(1.0), torch.tensor(2.0), 4)
    assert codes.tolist() == [2, 4, 4, 2]


@pytest.mark.parametrize(
    'shape', [(0, 5), (1, 7), (9, 1), (3, TILE), (TILE + 3, 2)]
)
@pytest.mark.parametrize('kind', ['column', 'row', 'all'])
def test_blocks_and_in_place(rand, shape, kind):
    x = rand(*shape)
    size = dict(column=(shape[1],), row=(shape[0], 1), all=(1,))[kind]
    scale = torch.rand(size, generator=torch.Generator().manual_seed(1)) + 0.1
    zero_point = torch.full(size, 5.0)
    expected = (quantize(x, scale, zero_point, 4) - zero_point) * scale
    assert torch.equal(fake_quantize(x, scale, zero_point, 4), expected)
    assert fake_quantize(x, scale, zero_point, 4, out=x) is x
    assert torch.equal(x, expected)


def test_column_bounds(rand):
    x = rand(5, 3)
    lower, upper = column_bounds(x)
    for c in range(3):
        column = x[:, c].tolist()
        assert (lower[c], upper[c]) == (min(column), max(column))


def both_ways(monkeypatch, call):
    """What the kernels give, and what torch gives in their place."""
    if definition.library() is None:
        pytest.skip('no kernels here; torch is tested by the oracle')
    found = call()
    with monkeypatch.context() as patch:
        patch.setattr(definition, 'library', lambda: None)
        return found, call()


@pytest.mark.parametrize('shape', [(0, 5), (1, 7), (40, 1), (300, 67)])
@pytest.mark.parametrize('kind', ['column', 'row', 'all'])
@pytest.mark.parametrize('with_multiple', [True, False])
def test_kernels_equal_torch(monkeypatch, rand, shape, kind, with_multiple):
    x = rand(*shape, shift=1.0)
    x.view(-1)[::7] = (x.view(-1)[::7] / 0.25).round() * 0.25 + 0.125
    x.view(-1)[3::50] = float('nan')
    x.view(-1)[4::50] = float('inf')
    size = dict(column=(shape[1],), row=(shape[0], 1), all=(1,))[kind]
    generator = torch.Generator().manual_seed(1)
    scale = torch.rand(size, generator=generator) + 0.1
    zero_point = torch.randint(-9, 20, size, generator=generator).float()
    multiple = zero_point.abs() if with_multiple else None

    def call(values=x, out=None):
        return fake_quantize(values, scale, zero_point, 4, out, multiple)

    kernel, chain = both_ways(monkeypatch, call)
    torch.testing.assert_close(kernel, chain, rtol=0, atol=0, equal_nan=True)
    own = x.clone()
    strided = torch.stack([x, x], -1)[..., 0]
    for values, out in ((own, own), (strided, None)):
        found = call(values, out)
        torch.testing.assert_close(
            found, kernel, rtol=0, atol=0, equal_nan=True
        )


@given(ranges(), bits, st.lists(number, min_size=1, max_size=40))
def test_kernels_equal_torch_whatever_the_range(bounds, bits, xs):
    lower, upper = (torch.tensor([bound]) for bound in bounds)
    scale, zero_point = qparams(lower, upper, bits)
    x = torch.tensor([xs])
    expected = (quantize(x, scale, zero_point, bits) - zero_point) * scale
    assert torch.equal(fake_quantize(x, scale, zero_point, bits), expected)


@pytest.mark.parametrize('rows', [1, 3, 4, 200])
def test_bounds_by_kernels_equal_torch(monkeypatch, rand, rows):
    x = rand(rows, 19)
    x[rows // 2, 3] = float('nan')
    x[0, 5], x[-1, 6] = float('inf'), -float('inf')
    for found, expected in zip(
        *both_ways(monkeypatch, lambda: column_bounds(x)), strict=True
    ):
        torch.testing.assert_close(
            found, expected, rtol=0, atol=0, equal_nan=True
        )
        assert found[3].isnan() and not found[4].isnan()
