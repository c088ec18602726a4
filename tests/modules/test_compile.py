"""Quantized models as one graph: compiled, exported; the same bits."""

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.modules import QuantLinear
from igq_mmdet.runtime.linear import IntegerLinear


@pytest.fixture(autouse=True)
def fresh():
    torch._dynamo.reset()
    with torch._dynamo.config.patch(
        recompile_limit=1000, accumulated_recompile_limit=10000
    ):
        yield
    torch._dynamo.reset()


def compiled(function):
    """One graph, as for any backend, without the time of inductor."""
    return torch.compile(function, backend='eager', fullgraph=True)


def exported(model, x):
    """With any number of images."""
    images = torch.export.Dim('images', min=1, max=64)
    program = torch.export.export(model, (x,), dynamic_shapes=({0: images},))
    return program.module()


def equal(found, wanted):
    if isinstance(wanted, torch.Tensor):
        found, wanted = (found,), (wanted,)
    for one, other in zip(found, wanted, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize('integer', [False, True])
@pytest.mark.parametrize('method', ['igq', 'igq_integral', 'sorted', 'repq'])
@torch.no_grad()
def test_a_layer(config, rand, method, integer):
    layer = QuantLinear(config(method=method), rand(33, 40), rand(33))
    layer.freeze()
    quantizer = layer.input_quantizer
    upper = torch.linspace(1, 4, max(quantizer.groups, 1))
    quantizer.set_bounds(-upper[: quantizer.groups], upper[: quantizer.groups])
    if integer:
        assert IntegerLinear.supports(layer) is None
        layer = IntegerLinear.from_quantized(layer)
    x, other = rand(2, 50, 40), rand(3, 50, 40)
    for run in (compiled(layer), exported(layer, x)):
        equal(run(x), layer(x))
        equal(run(other), layer(other))
    traced = torch.jit.trace(layer, x, check_trace=False)
    equal(traced(x), layer(x))


def vit():
    timm = pytest.importorskip('timm')
    options = dict(img_size=32, depth=2, num_classes=5)
    return timm.create_model('vit_tiny_patch16_224', **options), 32


def swin():
    pytest.importorskip('timm')
    from timm.models.swin_transformer import SwinTransformer

    options = dict(embed_dim=24, depths=(2,), num_heads=(2,))
    model = SwinTransformer(
        patch_size=2, img_size=28, window_size=4, num_classes=5, **options
    )
    return model, 28


@pytest.mark.slow
@pytest.mark.parametrize(
    'make, method, integer',
    [
        (vit, 'igq', False),
        (vit, 'repq', False),
        (vit, 'igq_integral', True),
        (swin, 'igq_integral', False),
        (swin, 'igq', True),
    ],
)
@torch.no_grad()
def test_a_classifier(make, method, integer):
    model, size = make()
    x, other = torch.randn(2, 3, size, size), torch.randn(3, 3, size, size)
    spec = igq.QuantSpec(method=method, groups=4)
    model = igq.quantize(model.eval(), spec)
    igq.calibrate(model, [x])
    if integer:
        model = igq.to_integer(model)
    for run in (compiled(model), exported(model, x)):
        equal(run(x), model(x))
        equal(run(other), model(other))


class Features(nn.Module):
    """Backbone and neck of a detector."""

    def __init__(self, detector):
        super().__init__()
        self.backbone, self.neck = detector.backbone, detector.neck

    def forward(self, images):
        return self.neck(self.backbone(images))


@pytest.mark.slow
@pytest.mark.parametrize('integer', [False, True])
@torch.no_grad()
def test_backbone_and_neck_of_a_detector(demo_model, integer):
    x, other = torch.randn(1, 3, 96, 80), torch.randn(2, 3, 96, 80)
    model = igq.quantize(Features(demo_model), igq.QuantSpec(groups=12))
    igq.calibrate(model, [x])
    if integer:
        model = igq.to_integer(model)
    for run in (compiled(model), exported(model, other)):
        equal(run(x), model(x))
        equal(run(other), model(other))
