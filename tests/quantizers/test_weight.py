"""Weights: codes, bounds and the chosen percentile are the oracle's."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from igq_mmdet import QuantSpec
from igq_mmdet.operators import definition
from igq_mmdet.quantizers import dequantize_weight, quantize_weight
from igq_mmdet.quantizers.weight import percentile_bounds
from tests import oracle

PERCENTS = QuantSpec().weight_percentiles


@pytest.mark.parametrize('width', [1, 2, 9, 300])
@pytest.mark.parametrize('bits', [2, 4, 8])
@pytest.mark.parametrize('strict', [False, True])
@pytest.mark.parametrize('scope', ['channel', 'layer'])
def test_equals_the_oracle(rand, width, bits, strict, scope):
    weight = rand(width, 5, spread=1.0).T.contiguous()
    weight[0] = 0.5  # a constant channel
    weight[1] = -weight[1].abs() - 1
    codes, scale, zero_point, percent = quantize_weight(
        weight, bits, PERCENTS, strict, scope
    )
    expected, pairs, best = oracle.weight_quantizer(
        weight.tolist(), bits, PERCENTS, strict, scope
    )
    assert percent.tolist() == pytest.approx(best)
    found = torch.cat([scale, zero_point], 1)
    assert found.tolist() == [list(pair) for pair in pairs]
    assert codes.dtype == torch.uint8 and codes.tolist() == expected


@given(
    st.lists(st.floats(-9, 9, width=32), min_size=1, max_size=40),
    st.floats(0, 49),
)
def test_percentiles_are_numpys(row, percent):
    lower, upper = percentile_bounds(torch.tensor([row]), percent)
    low, high = np.percentile(
        np.array(row, dtype=np.float64), [percent, 100 - percent]
    )
    assert lower.item() == pytest.approx(low, rel=1e-6, abs=1e-9)
    assert upper.item() == pytest.approx(high, rel=1e-6, abs=1e-9)


def test_an_outlier_is_cut_off_only_when_that_pays():
    even = torch.linspace(-1, 1, 16).repeat(100)[None]  # met exactly
    assert quantize_weight(even, 4, PERCENTS)[3] == 0
    spiked = even.clone()
    spiked[0, 0] = -20.0
    assert quantize_weight(spiked, 4, PERCENTS)[3] > 0


def test_error_never_exceeds_a_coarser_choice(rand):
    weight = rand(64, 200) ** 3

    def loss(percents, scope='channel'):
        codes, scale, zero_point, _ = quantize_weight(
            weight, 4, percents, scope=scope
        )
        back = dequantize_weight(codes, scale, zero_point)
        return (back - weight).square().sum()

    assert loss(PERCENTS) < loss(PERCENTS, 'layer') < loss((0,))


def test_no_percentile_is_an_error():
    with pytest.raises(ValueError, match='percentiles is empty'):
        quantize_weight(torch.ones(1, 1), 4, ())


@pytest.mark.parametrize('shape', [(1, 1), (5, 67), (300, 100)])
@pytest.mark.parametrize('with_scale', [True, False])
def test_dequantized_by_kernels_as_by_torch(
    monkeypatch, rand, shape, with_scale
):
    if definition.library() is None:
        pytest.skip('no kernels here to compare with')
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 256, shape, generator=generator).byte()
    zero_point = torch.randint(-300, 300, (shape[0], 1), generator=generator)
    scale = rand(shape[0], 1) if with_scale else None
    found = dequantize_weight(codes, scale, zero_point.float())
    monkeypatch.setattr(definition, 'library', lambda: None)
    expected = dequantize_weight(codes, scale, zero_point.float())
    assert torch.equal(found, expected)
    by_hand = codes.float() - zero_point
    assert torch.equal(found, by_hand if scale is None else by_hand * scale)
