"""Networks as others publish them, and what of them is the map."""

import pytest
import torch
from torch import nn

pytest.importorskip('mmdet')
pytest.importorskip('timm')

from mmengine.structures import BaseDataElement

import igq_mmdet as igq
from igq_mmdet.detection.calibration.predictions import predictor
from igq_mmdet.errors import DataError, SpecError
from igq_mmdet.registry import MODELS
from igq_mmdet.segmentation import MapModel

from .cod_network import tiny

IMAGES = torch.arange(2 * 3 * 32 * 32).reshape(2, 3, 32, 32) % 251 / 250


class Gives(nn.Module):
    """A network that returns what it is told."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, images):
        return self.make(images[:, :1], images[:, 1:2])


@pytest.mark.parametrize(
    ('make', 'output'),
    [
        (lambda x, y: y, None),
        (lambda x, y: y[:, 0], None),
        (lambda x, y: [x, y], None),
        (lambda x, y: [y, x], 0),
        (lambda x, y: ([x, y], x), (0, 1)),
        (lambda x, y: ([x, y], x), 0),
        (lambda x, y: {'map': y}, None),
        (lambda x, y: {'edge': x, 'map': y}, 'map'),
        (lambda x, y: {'maps': [x, y], 'edge': x}, 'maps'),
        (lambda x, y: y[..., ::4, ::4], None),
    ],
)
def test_which_is_the_map(make, output):
    found = MapModel(Gives(make), output).map_of(IMAGES)
    step = IMAGES.shape[-1] // found.shape[-1]
    assert torch.equal(found, IMAGES[:, 1:2, ::step, ::step])


@pytest.mark.parametrize(
    ('make', 'output', 'message'),
    [
        (lambda x, y: {'a': x, 'b': y}, None, 'choose one of a, b'),
        (lambda x, y: [x, y], 2, '2 is no position in the 2'),
        (lambda x, y: 'no', None, 'returns str'),
        (lambda x, y: torch.cat([x, y], 1), None, 'which is no map'),
        (lambda x, y: y[:1], None, 'which is no map'),
        (lambda x, y: y[..., ::2], None, 'which is no map'),
    ],
)
def test_what_is_no_map(make, output, message):
    with pytest.raises(SpecError, match=message):
        MapModel(Gives(make), output).map_of(IMAGES)


def samples():
    return [
        BaseDataElement(metainfo=dict(img_path=f'{name}.jpg')) for name in 'ab'
    ]


def test_logits_and_probabilities():
    one, other = (
        MapModel(Gives(make), logits=logits)(IMAGES, samples(), 'predict')
        for make, logits in (
            (lambda x, y: 4 * y, True),
            (lambda x, y: (4 * y).sigmoid(), False),
        )
    )
    for a, b in zip(one, other, strict=True):
        assert (a.pred_map - b.pred_map).abs().max() <= 1
        assert a.pred_map.min() == 0 and a.pred_map.max() == 65535
    model = MapModel(Gives(lambda x, y: 4 * y), logits=False)
    with pytest.raises(DataError, match='a.jpg: .*no probabilities'):
        model(IMAGES, samples(), 'predict')


def test_a_map_of_nan_is_named():
    def make(x, y):
        y = y.clone()
        y[1, 0, 3, 3] = float('inf')
        return y

    with pytest.raises(DataError, match='b.jpg: its map has NaN'):
        MapModel(Gives(make))(IMAGES, samples(), 'predict')


def test_what_allocation_compares():
    """The softmax of the rows is the map; copies follow each other."""
    batch = {'inputs': [IMAGES[0]], 'data_samples': samples()[:1]}
    for logits in (True, False):
        model = MapModel(
            Gives(lambda x, y: y),
            logits=logits,
            data_preprocessor=dict(type='ImgDataPreprocessor'),
        )
        (rows,) = predictor(model)(model, batch, 2)
        assert rows.shape == (2 * 32 * 32, 2)
        expected = IMAGES[0, 1].sigmoid() if logits else IMAGES[0, 1]
        found = rows.softmax(-1)[:, 0].reshape(2, 32, 32)
        assert (found - expected).abs().max() < 1e-5


def test_named_by_a_class_that_is_nowhere_registered():
    config = dict(
        type='igq_mmdet.MapModel',
        network=dict(type='tests.segmentation.cod_network.tiny'),
    )
    model = MODELS.build(config)
    torch.manual_seed(0)
    assert model(torch.rand(1, 3, 64, 64)).shape == (1, 1, 16, 16)
    assert set(model.network.state_dict()) == set(tiny().state_dict())


@pytest.mark.slow
def test_published_style_on_pvt_v2_b2():
    """Nothing of it is left in float, and no layer goes without data."""
    from .cod_network import CamouflageNet

    torch.manual_seed(0)
    model = MapModel(CamouflageNet()).eval()
    image = torch.rand(1, 3, 64, 64)
    qmodel = igq.quantize(model, igq.QuantSpec(w_bits=8, a_bits=8, groups=4))
    igq.calibrate(qmodel, [image])
    found = igq.coverage(qmodel, image)
    assert not found.uncovered
    with torch.inference_mode():
        one, other = model(image), qmodel(image)
    assert one.shape == (1, 1, 16, 16)
    noise = (one - other).square().mean() / one.var()
    assert noise < 0.05
