"""The logarithmic quantizer of RepQ-ViT."""

import math

import pytest
import torch

from igq_mmdet.methods.repq import LogSqrt2Quantizer


def make(scale, bits):
    quantizer = LogSqrt2Quantizer(bits)
    quantizer.set_bounds(torch.zeros(1), torch.tensor([scale]))
    return quantizer


@pytest.mark.parametrize('bits', [2, 3, 4, 8])
@pytest.mark.parametrize('scale', [1.0, 0.37])
def test_equals_the_papers_shift_with_its_odd_scale(bits, scale):
    x = torch.cat([torch.linspace(0, 1, 997), torch.logspace(-9, 0, 500)])
    found = make(scale, bits)(x.view(-1, 1)).view(-1)
    for value, out in zip(x.tolist(), found.tolist(), strict=True):
        exact = -2 * math.log2(value / scale) if value else 1000
        if abs(exact % 1 - 0.5) < 1e-4:
            continue  # float32 may round such a tie either way
        code = max(round(exact), 0)
        if code > 2**bits - 1:
            assert out == 0
            continue
        shifted = scale * 2.0 ** math.floor(-code / 2)
        expected = shifted * math.sqrt(2) if code % 2 else shifted
        assert out == pytest.approx(expected, rel=1e-6)


def test_writes_where_told():
    x = torch.rand(5, 7).softmax(1)
    quantizer = make(0.5, 4)
    expected, copy = quantizer(x), x.clone()
    assert quantizer(copy, out=copy) is copy
    assert torch.equal(copy, expected)


def test_bounds_are_kept_in_the_state_dict():
    quantizer, fresh = make(0.37, 3), LogSqrt2Quantizer(3)
    fresh.load_state_dict(quantizer.state_dict())
    x = torch.rand(4, 6)
    assert torch.equal(fresh(x), quantizer(x))
