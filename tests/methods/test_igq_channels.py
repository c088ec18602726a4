"""Channels take the nearest group of their own image."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from igq_mmdet.methods.igq import ChannelGroupQuantizer, assign_channels
from igq_mmdet.methods.layerwise import StaticQuantizer
from igq_mmdet.methods.upper_bound import ChannelBoundQuantizer
from igq_mmdet.quantizers import fake_quantize, qparams, quantize
from tests import oracle

value = st.floats(-30, 30, width=32)


@st.composite
def cases(draw):
    tokens, channels = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    offset = draw(st.sampled_from([0.0, 0.0, -40.0, 1e6]))
    column = st.lists(value, min_size=tokens, max_size=tokens)
    columns = draw(st.lists(column, min_size=channels, max_size=channels))
    pair = st.tuples(value, value).map(sorted)
    groups = draw(st.lists(pair, min_size=1, max_size=5))
    x = torch.tensor(columns).T.contiguous() + offset
    return x, torch.tensor(groups) + offset


def make(groups, bits, strict=False):
    quantizer = ChannelGroupQuantizer(bits, len(groups), strict)
    quantizer.set_bounds(groups[:, 0], groups[:, 1])
    return quantizer


@given(cases(), st.integers(2, 8), st.booleans())
def test_equals_the_oracle(case, bits, strict):
    x, groups = case
    quantizer = make(groups, bits, strict)
    assigned, codes, values = oracle.channel_groups(
        x.tolist(), *groups.T.tolist(), bits, strict
    )
    found = quantizer.assign(x)
    assert found.tolist() == assigned
    scale, zero_point = quantizer.scale[found], quantizer.zero_point[found]
    assert quantize(x, scale, zero_point, bits).tolist() == codes
    out = quantizer(x)
    assert torch.isfinite(out).all()
    torch.testing.assert_close(out.double(), torch.tensor(values).double())


@given(cases(), st.integers(2, 8))
def test_one_group_is_layerwise(case, bits):
    x, groups = case
    layerwise = StaticQuantizer(bits)
    layerwise.set_bounds(groups[:1, 0], groups[:1, 1])
    assert torch.equal(make(groups[:1], bits)(x), layerwise(x))


@given(cases(), st.integers(2, 8))
def test_a_group_a_channel_is_the_upper_bound(case, bits):
    x, _ = case
    own = torch.stack([x.amin(0), x.amax(0)], 1)
    bound = ChannelBoundQuantizer(bits)
    bound.set_bounds(bound.lower, bound.upper)
    assert torch.equal(make(own, bits)(x), bound(x))


def test_first_of_equal_groups_wins():
    zero = torch.zeros(1)
    lower, upper = torch.tensor([-1.0, 1.0, -1.0]), torch.zeros(3)
    assert assign_channels(zero, zero, lower, upper).tolist() == [0]


def test_tokens_not_counted_are_quantized_all_the_same():
    x = torch.tensor([[0.2, 5.0], [0.9, 7.0], [100.0, -100.0]])
    groups = torch.tensor([[0.0, 1.0], [4.0, 8.0], [-100.0, 100.0]])
    quantizer = make(groups, 4)
    out = quantizer(x, x[:2])
    assigned, _, values = oracle.channel_groups(
        x.tolist(), *groups.T.tolist(), 4, counted=x[:2].tolist()
    )
    assert assigned == [0, 1]
    torch.testing.assert_close(out, torch.tensor(values))
    assert out[2].tolist() == [1.0, 4.0]  # cut off at the bounds
    assert quantizer.assign(x).tolist() == [1, 2]


def test_lets_through_until_calibrated_and_takes_no_tokens(rand):
    quantizer, x = ChannelGroupQuantizer(4, 3), rand(5, 2)
    assert quantizer(x) is x
    quantizer.set_bounds(torch.zeros(3), torch.ones(3))
    assert quantizer(x[:0]).shape == (0, 2)
    out = torch.empty(5, 2)
    assert quantizer(x, out=out) is out
    assert torch.equal(out, quantizer(x))
    assert quantizer(x, out=x) is x and torch.equal(x, out)


def test_scale_of_a_group_comes_from_its_bounds():
    groups = torch.tensor([[-1.0, 2.0], [3.0, 3.0]])
    quantizer = make(groups, 2)
    scale, zero_point = qparams(groups[:, 0], groups[:, 1], 2)
    assert torch.equal(quantizer.scale, scale)
    x = torch.tensor([[3.0], [3.0]])
    assert torch.equal(quantizer(x), x)  # the constant itself
    assert torch.equal(
        fake_quantize(x, scale[1:], zero_point[1:], 2), quantizer(x)
    )
