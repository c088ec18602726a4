"""Every layer of a real detector, on the inputs it gets there."""

import pytest
import torch

import igq_mmdet as igq
from igq_mmdet.modules.swap import quantized_layers
from igq_mmdet.runtime import library


@pytest.mark.slow
@pytest.mark.parametrize(
    'method, bits', [('igq_integral', 4), ('igq', 4), ('igq', 8)]
)
@torch.no_grad()
def test_every_layer_equals_the_simulation(demo_model, method, bits):
    if library() is None:
        pytest.skip('no kernels here; tests of layers cover torch')
    spec = igq.QuantSpec(method=method, groups=8, w_bits=bits, a_bits=bits)
    images = torch.randn(1, 3, 128, 160)

    def features(model, x):
        maps = model.extract_feat(x)
        model.rpn_head(maps)
        roi = model.roi_head
        rois = torch.tensor([[0.0, 4, 4, 90, 80], [0, 30, 20, 150, 120]])
        roi._bbox_forward(maps, rois)
        roi._mask_forward(maps, rois)

    qmodel = igq.quantize(demo_model, spec)
    igq.calibrate(qmodel, [images], features)
    integer = igq.to_integer(qmodel)
    theirs = quantized_layers(integer)
    checked = []

    def compare(name):
        def hook(layer, args, out):
            found = theirs[name](*args)
            assert torch.equal(found, out), name
            checked.append(name)

        return hook

    expected = set()
    for name, layer in quantized_layers(qmodel).items():
        if type(theirs[name]) is not type(layer):
            layer.register_forward_hook(compare(name))
            expected.add(name)
    features(qmodel, images)
    assert set(checked) == expected
    assert len(expected) > 50
    assert set(integer.igq_runtime.values()) == {None}
