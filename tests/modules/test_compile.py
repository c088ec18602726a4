"""torch.compile may cut a function anywhere: what C reads must still live."""

import pytest
import torch

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
    """Cut by dynamo as for any backend, without the time of inductor."""
    return torch.compile(function, backend='eager')


@pytest.mark.parametrize('integer', [False, True])
@pytest.mark.parametrize('method', ['igq', 'igq_integral', 'sorted'])
@torch.no_grad()
def test_a_layer(config, rand, method, integer):
    layer = QuantLinear(config(method=method), rand(33, 40), rand(33))
    layer.freeze()
    quantizer = layer.input_quantizer
    upper = torch.linspace(1, 4, max(quantizer.groups, 1))
    quantizer.set_bounds(-upper[: quantizer.groups], upper[: quantizer.groups])
    if integer and IntegerLinear.supports(layer) is None:
        layer = IntegerLinear.from_quantized(layer)
    x = rand(2, 50, 40)
    run = compiled(layer)
    for _ in range(3):
        assert torch.equal(run(x), layer(x))


@pytest.mark.slow
@torch.no_grad()
def test_a_backbone(demo_model):
    images = torch.randn(1, 3, 96, 96)
    model = igq.quantize(demo_model.backbone, igq.QuantSpec(groups=12))
    igq.calibrate(model, [images])
    run = compiled(model)
    for _ in range(2):
        for one, other in zip(run(images), model(images), strict=True):
            assert torch.equal(one, other)
