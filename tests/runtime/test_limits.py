"""Sums as large as 32 bits hold, and larger."""

import pytest
import torch

from igq_mmdet.modules import QuantLinear
from igq_mmdet.runtime.linear import IntegerLinear


@pytest.mark.parametrize('sign', [-1, 1])
@pytest.mark.parametrize('w_bits', [7, 8])
@pytest.mark.parametrize('method', ['layerwise', 'igq', 'igq_integral'])
def test_sums_at_the_limit_do_not_overflow(
    kernels, config, method, w_bits, sign
):
    inputs, top = 12544, 2**w_bits - 1
    settings = config(method=method, w_bits=w_bits, a_bits=8)
    layer = QuantLinear(settings, torch.ones(2, inputs))
    codes = torch.full((2, inputs), top, dtype=torch.uint8)
    codes[1] = 0
    zero = torch.tensor([[0.0], [top]])
    layer.adopt_codes(codes, torch.ones(2, 1), zero)
    quantizer = layer.input_quantizer
    low = torch.full((quantizer.groups,), 0.0 if sign > 0 else -255.0)
    quantizer.set_bounds(low, low + 255)
    x = torch.full((1, 7, inputs), 255.0 * sign)
    assert IntegerLinear.supports(layer) is None
    found = IntegerLinear.from_quantized(layer)(x)
    total = float(torch.tensor(255 * top * inputs * sign).float())
    expected = torch.tensor([total, -total]).expand(1, 7, 2)
    assert torch.equal(found, expected)


@pytest.mark.parametrize('method', ['layerwise', 'igq'])
def test_sums_that_could_overflow_are_refused(config, method):
    layer = QuantLinear(config(method=method), torch.ones(2, 12544))
    zero = torch.full((2, 1), 1e5)
    codes = torch.zeros(2, 12544, dtype=torch.uint8)
    layer.adopt_codes(codes, torch.ones(2, 1), zero)
    quantizer = layer.input_quantizer
    quantizer.set_bounds(quantizer.lower, quantizer.lower + 1)
    assert '32 bits' in IntegerLinear.supports(layer)
