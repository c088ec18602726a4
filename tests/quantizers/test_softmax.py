"""Codes of a softmax are the same bits with and without kernels."""

import math
import warnings

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from igq_mmdet.kernels import library
from igq_mmdet.methods.igq import RowGroupQuantizer
from igq_mmdet.methods.layerwise import StaticQuantizer
from igq_mmdet.operators import definition
from igq_mmdet.operators.softmax_codes import exponential
from igq_mmdet.quantizers import has_row_steps, softmax_codes
from tests import oracle

ISAS = ('avx2', 'avx512')


def kernels(name):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = library(name)
    if (found.name if found else 'none') != name:
        pytest.skip(f'no {name} here')
    return found


def make(bits=4, uppers=(0.1, 0.3, 0.9)):
    quantizer = RowGroupQuantizer(bits, len(uppers))
    uppers = torch.tensor(uppers)
    quantizer.set_bounds(torch.zeros_like(uppers), uppers)
    return quantizer


def run(found, monkeypatch, scores, *args):
    monkeypatch.setattr(definition, 'library', lambda: found)
    codes = scores.clone()
    return softmax_codes(codes, *args), codes


@pytest.mark.parametrize('isa', ISAS)
@pytest.mark.parametrize('width', [1, 2, 15, 16, 17, 49, 144, 1000])
@pytest.mark.parametrize('bits', [2, 4, 8])
def test_kernels_equal_torch(monkeypatch, rand, isa, width, bits):
    found = kernels(isa)
    scores = (rand(3, 4, 5, 7, width) * 40).round()
    bias = rand(4, 1, 7, width, shift=2.0)
    mask = torch.zeros(3, 1, 1, 7, width)
    mask[1, ..., width // 2 :] = -100.0
    mask[2, ..., width // 2 + 1 :] = -math.inf
    for quantizer in (make(bits), make(bits, (0.7,))):
        for terms in ((), (bias,), (bias, mask), (None, mask)):
            args = scores, 0.0371, quantizer, *terms
            want = run(None, monkeypatch, *args)
            got = run(found, monkeypatch, *args)
            assert torch.equal(want[0], got[0])
            assert torch.equal(want[1], got[1])


@pytest.mark.parametrize('isa', ISAS)
def test_terms_of_any_layout_and_no_rows(monkeypatch, rand, isa):
    found = kernels(isa)
    scores = rand(2, 3, 6, 6).round()
    bias = rand(6, 6, 3).permute(2, 0, 1)
    want = run(None, monkeypatch, scores, 0.5, make(), bias)
    got = run(found, monkeypatch, scores, 0.5, make(), bias)
    assert torch.equal(want[1], got[1])
    empty = run(found, monkeypatch, scores[:0], 0.5, make(), bias)
    assert empty[0].shape == (0, 3, 6)


@pytest.mark.parametrize('isa', ('none', *ISAS))
def test_rows_without_a_number(monkeypatch, isa):
    found = None if isa == 'none' else kernels(isa)
    scores = torch.zeros(4, 5)
    scores[0, 2] = math.nan
    scores[1] = -math.inf
    scores[2, 1] = math.inf
    steps, codes = run(found, monkeypatch, scores, 1.0, make())
    assert (codes * steps[:, None])[:3].isnan().all()
    assert codes[3].isfinite().all()


@given(
    st.lists(st.integers(-9999, 9999), min_size=1, max_size=20),
    st.floats(2**-12, 0.25, width=32),
    st.integers(2, 8),
)
@example([0, -2000], 0.25, 4)
def test_probabilities_are_those_of_the_oracle(row, factor, bits):
    quantizer = StaticQuantizer(bits, nonnegative=True)
    quantizer.set_bounds(torch.zeros(1), torch.ones(1))
    assert has_row_steps(quantizer)
    codes = torch.tensor([row], dtype=torch.float32)
    steps = softmax_codes(codes, factor, quantizer)
    scores = [oracle.f32(x * factor) for x in row]
    powers = [math.exp(x - max(scores)) for x in scores]
    for code, power in zip(codes[0].tolist(), powers, strict=True):
        exact = power / sum(powers) / steps.item()
        assert abs(code - exact) <= 0.5 + 1e-3


def test_exponential():
    x = -torch.rand(4000, generator=torch.Generator().manual_seed(0)) * 90
    x = torch.cat([x, torch.tensor([0.0, -87.0, -87.1, -math.inf])])
    exact = x.double().exp()
    off = (exponential(x).double() - exact).abs() / exact.clamp(min=1e-38)
    assert off[x >= -87].max() < 2.5e-7
    assert (exponential(x)[x < -87] == 0).all()
    assert exponential(torch.zeros(1)).item() == 1


def test_other_dtypes_take_the_softmax_of_torch(rand):
    scores = rand(6, 9).double()
    codes = scores.clone()
    quantizer = make().double()
    steps = softmax_codes(codes, 0.5, quantizer)
    expected = quantizer((scores * 0.5).softmax(-1))
    torch.testing.assert_close(codes * steps[:, None], expected)
