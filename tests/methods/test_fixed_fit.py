"""Fixed groups are cut and bounded as the method says."""

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.calibration import collect, fit
from igq_mmdet.methods.fixed import fit_fixed


def calibrated(images, **spec):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(images.shape[-1], 3))
    qmodel = igq.quantize(model, igq.QuantSpec(**spec))
    fit(qmodel, collect(qmodel, [images]))
    return qmodel[0]


def plain(images, groups, by_range, m_step):
    """The definition in plain loops: bounds by channel."""
    channels = images.shape[-1]
    low, high = images.amin(1).tolist(), images.amax(1).tolist()
    pictures = range(len(images))

    def span(c):
        return sum(high[i][c] - low[i][c] for i in pictures)

    order = sorted(range(channels), key=span if by_range else None)
    found = {}
    for group in range(groups):
        members = [
            c for r, c in enumerate(order) if r * groups // channels == group
        ]
        lows = [low[i][c] for i in pictures for c in members]
        highs = [high[i][c] for i in pictures for c in members]
        bounds = min(lows), max(highs)
        if m_step == 'mean':
            bounds = sum(lows) / len(lows), sum(highs) / len(highs)
        found.update(dict.fromkeys(members, bounds))
    return [found[c] for c in range(channels)]


@pytest.mark.parametrize('m_step', ['mean', 'envelope'])
@pytest.mark.parametrize('method', ['consecutive', 'sorted'])
@pytest.mark.parametrize('groups', [2, 3, 10])
def test_against_plain_loops(rand, method, groups, m_step):
    images = rand(3, 7, 10, shift=2.0)
    quantizer = calibrated(
        images, method=method, groups=groups, m_step=m_step
    ).input_quantizer
    index = quantizer.group_index.long()
    found = torch.stack([quantizer.lower[index], quantizer.upper[index]], 1)
    expected = plain(images, groups, method == 'sorted', m_step)
    torch.testing.assert_close(found, torch.tensor(expected))
    sizes = torch.bincount(index)
    assert len(sizes) == groups and sizes.max() - sizes.min() <= 1


def test_one_group_is_layerwise(rand):
    images = rand(2, 9, 5)
    layerwise = calibrated(images, method='layerwise')
    for method in ('consecutive', 'sorted'):
        one = calibrated(images, method=method, groups=1)
        assert torch.equal(one(images), layerwise(images))


def test_a_group_a_channel_of_one_image_is_the_upper_bound(rand):
    images = rand(1, 7, 5)
    bound = calibrated(images, method='upper_bound')
    for method in ('consecutive', 'sorted'):
        layer = calibrated(images, method=method, groups=12)
        torch.testing.assert_close(
            layer.quantize_input(images).clone(), bound.quantize_input(images)
        )


def test_unknown_m_step():
    with pytest.raises(ValueError, match='m_step'):
        fit_fixed(torch.zeros(2, 3), torch.ones(2, 3), 2, False, 'median')
