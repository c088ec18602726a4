"""One range for a whole tensor, of any shape."""

import pytest
import torch

from igq_mmdet.methods.layerwise import StaticQuantizer
from tests import oracle


@pytest.mark.parametrize('shape', [(7,), (1, 5), (4, 1), (2, 3, 4, 5)])
@pytest.mark.parametrize('bits', [2, 5, 8])
def test_equals_the_oracle(rand, shape, bits):
    quantizer, x = StaticQuantizer(bits), rand(*shape)
    quantizer.set_bounds(torch.tensor([-0.7]), torch.tensor([1.9]))
    pair = oracle.qparams(oracle.f32(-0.7), oracle.f32(1.9), bits)
    expected = [
        oracle.dequantize(oracle.quantize(v, *pair, bits), *pair)
        for v in x.flatten().tolist()
    ]
    out = quantizer(x)
    assert out.shape == x.shape
    torch.testing.assert_close(out.flatten(), torch.tensor(expected))
    assert torch.equal(quantizer(x, out=torch.empty_like(x)), out)


def test_memory_format_does_not_matter(rand):
    quantizer = StaticQuantizer(4)
    quantizer.set_bounds(torch.tensor([-1.0]), torch.tensor([1.0]))
    x = rand(2, 3, 4, 5)
    last = x.to(memory_format=torch.channels_last)
    assert torch.equal(quantizer(last), quantizer(x))
    assert quantizer(x[:0]).shape == (0, 3, 4, 5)


def test_bounds_of_another_size_are_refused():
    with pytest.raises(ValueError, match='expected 1 bounds'):
        StaticQuantizer(4).set_bounds(torch.zeros(2), torch.ones(2))


def test_a_state_without_bounds_does_not_calibrate():
    quantizer = StaticQuantizer(4)
    quantizer.load_state_dict({}, strict=False)
    assert not quantizer.ready
    ready = StaticQuantizer(4)
    ready.set_bounds(torch.tensor([-1.0]), torch.tensor([2.0]))
    quantizer.load_state_dict(ready.state_dict())
    assert quantizer.ready
    assert torch.equal(quantizer.scale, ready.scale)
