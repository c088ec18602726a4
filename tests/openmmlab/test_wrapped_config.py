"""A wrapped detector's config answers for the detector's fields."""

import copy

import pytest

pytest.importorskip('mmengine')

import mmengine.runner  # noqa: F401
from mmengine.config import Config, ConfigDict

import igq_mmdet  # noqa: F401

DETECTOR = dict(type='MaskRCNN', backbone=dict(type='A', init_cfg='x'))


@pytest.mark.parametrize('kind', ['igq_mmdet.IGQDetector', 'IGQDetector'])
def test_fields_of_the_detector(kind):
    model = Config(dict(model=dict(type=kind, detector=DETECTOR))).model
    assert model.backbone.type == model['backbone']['type'] == 'A'
    model.backbone.init_cfg = None  # as init_detector does
    assert model.detector.backbone.init_cfg is None
    # what the mapping holds is what it held
    assert list(model) == ['type', 'detector'] and len(model) == 2
    assert 'backbone' not in model and model.get('backbone') is None
    assert model.type == kind and copy.deepcopy(model) == model
    with pytest.raises(AttributeError, match="no attribute 'roi_head'"):
        model.roi_head  # noqa: B018
    with pytest.raises(KeyError, match='roi_head'):
        model['roi_head']


@pytest.mark.parametrize(
    'fields',
    [
        dict(type='Other', detector=DETECTOR),
        dict(type='igq_mmdet.IGQDetector', detector='MaskRCNN'),
        dict(type='igq_mmdet.IGQDetector'),
        dict(detector=DETECTOR),
    ],
)
def test_other_configs_are_as_they_were(fields):
    config = ConfigDict(fields)
    with pytest.raises(AttributeError, match="no attribute 'backbone'"):
        config.backbone  # noqa: B018
    with pytest.raises(KeyError, match='backbone'):
        config['backbone']
