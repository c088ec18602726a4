import pytest
import torch

import igq_mmdet as igq
from igq_mmdet.runtime import library
from igq_mmdet.runtime.window_attention import IntegerShiftWindowMSA

swin = pytest.importorskip('mmdet.models.backbones.swin')


def block(channels, heads, window, shift, bits, size, method='igq_integral'):
    torch.manual_seed(0)
    module = swin.ShiftWindowMSA(channels, heads, window, shift_size=shift)
    torch.nn.init.normal_(module.w_msa.relative_position_bias_table)
    spec = igq.QuantSpec(method=method, groups=8, a_bits=bits, w_bits=8)
    qmodel = igq.quantize(module.eval(), spec)
    x = torch.randn(1, size[0] * size[1], channels) * 3
    igq.calibrate(qmodel, [dict(query=x, hw_shape=size)])
    return qmodel


@pytest.mark.parametrize(
    'channels, heads, window, shift, bits, size',
    [
        (96, 3, 7, 0, 4, (20, 23)),
        (96, 3, 7, 3, 4, (20, 23)),
        (64, 2, 7, 3, 3, (14, 14)),
        (60, 3, 4, 2, 6, (9, 10)),
        (96, 3, 12, 6, 8, (26, 14)),
    ],
)
@pytest.mark.parametrize('method', ['igq_integral', 'layerwise'])
@torch.no_grad()
def test_equals_the_simulation(
    kernels, monkeypatch, channels, heads, window, shift, bits, size, method
):
    from igq_mmdet.runtime import window_attention

    monkeypatch.setattr(window_attention, 'library', lambda: library(kernels))
    layer = block(channels, heads, window, shift, bits, size, method)
    reason = IntegerShiftWindowMSA.supports(layer)
    if kernels == 'none':
        assert 'no kernels' in reason
        return
    assert reason is None
    integer = IntegerShiftWindowMSA.from_quantized(layer)
    tokens = size[0] * size[1]
    layout = layer.layout(
        *size, (window, window), (shift, shift), torch.device('cpu')
    )
    rows = tokens + (layout.real is not None)
    qkv = torch.randn(2, rows, 3 * channels) * 2
    found = integer.attend_windows(qkv, layout, tokens)
    simulated = layer.attend_windows(qkv.clone(), layout, tokens)
    assert torch.equal(found, simulated)


@torch.no_grad()
def test_in_a_model_it_replaces_the_attention():
    if library() is None:
        pytest.skip('no kernels here')
    layer = block(32, 2, 7, 3, 4, (9, 9))
    integer = igq.to_integer(layer)
    assert isinstance(integer, IntegerShiftWindowMSA)
    assert set(integer.igq_runtime.values()) == {None}
    # a changed bias is not forgotten
    x = torch.randn(1, 81, 32)
    before = integer(x, (9, 9))
    integer.w_msa.relative_position_bias_table.data.add_(5).mul_(-3)
    integer.w_msa.relative_position_bias_table.add_(0)
    assert not torch.equal(integer(x, (9, 9)), before)


def test_products_that_stay_in_float():
    layer = block(32, 2, 7, 0, 4, (7, 7), 'upper_bound')
    assert 'not uniform' in IntegerShiftWindowMSA.supports(layer) or (
        library() is None
    )
