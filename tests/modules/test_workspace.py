import torch

from igq_mmdet.modules import QuantConv2d, QuantLinear
from igq_mmdet.modules.workspace import LIMIT, workspace


def test_memory_is_kept_and_grows():
    small = workspace(torch.empty(3, 5))
    assert small.shape == (3, 5) and small.dtype == torch.float32
    assert workspace(torch.empty(7)).data_ptr() == small.data_ptr()
    large = workspace(torch.empty(1000, 70))
    assert large.is_contiguous() and large.shape == (1000, 70)
    assert workspace(torch.empty(2)).data_ptr() == large.data_ptr()


def test_nothing_large_is_kept():
    like = torch.empty(1).expand(LIMIT // 4 + 1)
    first = workspace(like)
    assert first.data_ptr() != workspace(like).data_ptr()


def test_outputs_of_layers_do_not_share_it(config, rand):
    linear = QuantLinear(config(method='layerwise'), rand(6, 6))
    module = torch.nn.Conv2d(3, 3, 1)
    conv = QuantConv2d.from_float(module, config())
    for layer in (linear, conv):
        layer.input_quantizer.set_bounds(-torch.ones(1), torch.ones(1))
        layer.freeze()
    first = linear(rand(1, 9, 6))
    kept = first.clone()
    second = conv(rand(1, 3, 9, 6))
    kept_second = second.clone()
    linear(rand(1, 9, 6))
    conv(rand(1, 3, 9, 6))
    assert torch.equal(first, kept)
    assert torch.equal(second, kept_second)


def test_it_is_not_used_before_calibration(config, rand):
    conv = QuantConv2d.from_float(torch.nn.Conv2d(3, 3, 1), config())
    x = rand(1, 3, 4, 4)
    assert conv.quantized(x) is x
