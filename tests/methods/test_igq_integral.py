import pytest
import torch

from igq_mmdet.methods.igq_integral import (
    IntegralGroupQuantizer,
    max_multiple,
    round_base,
)
from igq_mmdet.quantizers import max_code
from igq_mmdet.quantizers.uniform import column_bounds
from tests import oracle


def integral(bits, groups, base, multiples, zero_points, strict=False):
    """A quantizer with these integers."""
    quantizer = IntegralGroupQuantizer(bits, groups, strict)
    step = torch.tensor(multiples) * base
    zero_points = torch.tensor(zero_points)
    quantizer.set_bounds(
        -zero_points * step, (max_code(bits) - zero_points) * step, base
    )
    return quantizer


@pytest.mark.parametrize('bits', range(2, 9))
def test_multiples_of_codes_fill_a_byte_and_no_more(bits):
    largest = max_multiple(bits)
    assert largest * max_code(bits) <= 255 < (largest + 1) * max_code(bits)


def test_every_multiple_of_a_base_is_exact():
    base = round_base(torch.tensor([0.0123456789, 3e-6, 1.0, 777.7]))
    for multiple in range(1, max_multiple(2) + 1):
        exact = base.double() * multiple
        assert torch.equal((base * multiple).double(), exact)
    assert torch.allclose(base, torch.tensor([0.0123456789, 3e-6, 1, 777.7]))


def test_integers_survive_bounds(rand):
    base = round_base(torch.tensor([0.0371]))
    multiples, zero_points = [1, 3, 17, 5], [7, -40, 15, 200]
    quantizer = integral(4, 4, base, multiples, zero_points)
    assert quantizer.multiple.tolist() == multiples
    assert quantizer.zero_point.tolist() == zero_points
    again = IntegralGroupQuantizer(4, 4)
    again.load_state_dict(quantizer.state_dict())
    for name in ('scale', 'zero_point', 'multiple'):
        assert torch.equal(getattr(again, name), getattr(quantizer, name))


@pytest.mark.parametrize('bits', [2, 4, 6, 8])
def test_codes_equal_the_oracle(rand, bits):
    base = round_base(torch.tensor([0.05]))
    top = max_multiple(bits)
    multiples = [1, max(top // 2, 1), top]
    quantizer = integral(bits, 3, base, multiples, [1, 2, -5])
    x = rand(9, 20, spread=1.5, shift=1.0)
    groups, codes, values = [], [], []
    lowers, uppers = quantizer.lower.tolist(), quantizer.upper.tolist()
    step = [float(base) * m for m in multiples]
    for c in range(x.shape[1]):
        column = x[:, c].tolist()
        group = oracle.assign_channel(min(column), max(column), lowers, uppers)
        pair = step[group], [1, 2, -5][group]
        groups.append(group)
        codes.append([oracle.quantize(v, *pair, bits) for v in column])
        values.append([oracle.dequantize(q, *pair) for q in codes[-1]])
    assert quantizer.assign(x).tolist() == groups
    expected = torch.tensor(values, dtype=torch.float64).T
    torch.testing.assert_close(
        quantizer(x).double(), expected, rtol=1e-6, atol=0
    )
    scale = quantizer.scale[groups]
    zero_point = quantizer.zero_point[groups]
    found = torch.round(quantizer(x) / scale) + zero_point
    assert found.T.int().tolist() == codes


def test_strict_zero_point_is_a_code():
    base = round_base(torch.tensor([0.1]))
    quantizer = integral(4, 2, base, [1, 2], [-3, 99], strict=True)
    assert quantizer.zero_point.tolist() == [0, 15]


def test_statistics_leave_padding_out(rand):
    base = round_base(torch.tensor([0.1]))
    quantizer = integral(4, 2, base, [1, 8], [8, 8])
    x = torch.cat([rand(5, 6) * 0.1, torch.full((1, 6), 50.0)])
    lower, upper = column_bounds(x[:5])
    assert float(upper.max() - lower.min()) < 50
    padded = quantizer(x, x[:5])
    assert torch.equal(padded[:5], quantizer(x[:5]))
