"""RoIAlign as weighted sums, against mmcv's operator."""

import pytest
import torch

pytest.importorskip('mmcv')

from mmcv.ops import RoIAlign
from torch import nn

from igq_mmdet.detection.calibration.fixed_rois import FixedRoIs


def boxes(count, generator):
    """Boxes of all sizes; some leave the image, some are degenerate."""
    corner = torch.rand(count, 2, generator=generator) * 200 - 20
    size = torch.rand(count, 2, generator=generator) * 150
    found = torch.cat([corner, corner + size], 1)
    found[0] = torch.tensor([0.0, 0.0, 200.0, 160.0])
    found[1] = torch.tensor([5.0, 5.0, 5.0, 5.0])
    found[2] = torch.tensor([-90.0, -90.0, -40.0, -40.0])
    return found


def rois_of(corners, images):
    return torch.cat(
        [
            torch.cat([torch.full((len(corners), 1), float(i)), corners], 1)
            for i in range(images)
        ]
    )


@pytest.mark.parametrize('aligned', [True, False])
@pytest.mark.parametrize('ratio', [0, 1, 2])
def test_equals_mmcv(aligned, ratio):
    generator = torch.Generator().manual_seed(ratio)
    layer = RoIAlign((7, 5), 1 / 4, ratio, 'avg', aligned)
    features = torch.randn(3, 8, 40, 50, generator=generator)
    rois = rois_of(boxes(60, generator), 3)
    expected = layer(features, rois)
    fixed = FixedRoIs()
    with fixed.pooling(nn.Sequential(layer)):
        first = layer(features, rois)
        again = layer(features * 2, rois)
    assert expected.abs().amax() > 0.5
    torch.testing.assert_close(first, expected, rtol=1e-4, atol=5e-5)
    torch.testing.assert_close(again, first * 2)
    assert 'forward' not in vars(layer)


def test_other_rois_and_other_sizes_are_noticed():
    generator = torch.Generator().manual_seed(0)
    layer = RoIAlign((7, 7), 1 / 4, 0, 'avg', True)
    fixed = FixedRoIs()
    for seed, size in ((1, (40, 50)), (2, (40, 50)), (2, (30, 50))):
        features = torch.randn(1, 4, *size, generator=generator)
        rois = rois_of(boxes(20, torch.Generator().manual_seed(seed)), 1)
        with fixed.pooling(nn.Sequential(layer)):
            found = layer(features, rois)
        expected = layer(features, rois)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=5e-5)


def test_what_is_not_tiled_goes_the_usual_way():
    generator = torch.Generator().manual_seed(0)
    layer = RoIAlign((7, 7), 1 / 4, 0, 'avg', True)
    features = torch.randn(2, 4, 40, 50, generator=generator)
    rois = rois_of(boxes(20, generator), 2)
    rois[3, 1:] += 1  # the images no longer have the same RoIs
    with FixedRoIs().pooling(nn.Sequential(layer)):
        assert torch.equal(layer(features, rois), layer(features, rois))
        none = layer(features, rois[:0])
    assert none.shape == (0, 4, 7, 7)
