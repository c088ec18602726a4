"""Fixed groups: the same for every image, kept in the checkpoint."""

import torch

from igq_mmdet.methods.fixed import FixedGroupQuantizer
from igq_mmdet.quantizers import fake_quantize, qparams


def test_each_channel_is_quantized_by_its_own_group(rand):
    x = rand(9, 6)
    lower, upper = torch.tensor([-3.0, -0.5]), torch.tensor([2.0, 1.5])
    index = torch.tensor([0, 1, 1, 0, 1, 0])
    quantizer = FixedGroupQuantizer(4, 2, 6, by_range=False)
    quantizer.set_bounds(lower, upper, index)
    for image in (x, x * 100):  # no image changes the groups
        out = quantizer(image)
        for channel, group in enumerate(index.tolist()):
            scale, zero_point = qparams(
                lower[group : group + 1], upper[group : group + 1], 4
            )
            column = image[:, channel : channel + 1]
            expected = fake_quantize(column, scale, zero_point, 4)
            assert torch.equal(out[:, channel : channel + 1], expected)


def test_no_more_groups_than_channels():
    assert FixedGroupQuantizer(4, 24, 6, by_range=True).groups == 6


def test_groups_survive_the_state_dict(rand):
    quantizer = FixedGroupQuantizer(3, 2, 4, by_range=True)
    quantizer.set_bounds(
        torch.tensor([-1.0, -2.0]),
        torch.tensor([1.0, 5.0]),
        torch.tensor([1, 0, 1, 0]),
    )
    fresh = FixedGroupQuantizer(3, 2, 4, by_range=True)
    fresh.load_state_dict(quantizer.state_dict())
    x = rand(5, 4)
    assert torch.equal(fresh(x), quantizer(x))
