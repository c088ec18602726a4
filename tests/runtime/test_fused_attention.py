"""timm's attentions on integer codes, against their simulation."""

import pickle

import pytest
import torch

import igq_mmdet as igq
from igq_mmdet.runtime import fused_attention, library
from igq_mmdet.runtime.fused_attention import IntegerFusedAttention

timm = pytest.importorskip('timm')

# name, size of the image, options; Swin's bias differs between windows
MODELS = {
    'vit': ('vit_tiny_patch16_224', 64, dict(depth=1)),
    'tokens that fill no vector': ('vit_tiny_patch16_224', 48, dict(depth=1)),
    'beit': ('beit_base_patch16_224', 48, dict(depth=1, embed_dim=96)),
    'swin': (
        'swin_tiny_patch4_window7_224',
        56,
        dict(depths=(2,), embed_dim=24, num_heads=(3,)),
    ),
}


def calibrated(kind, bits, method='igq'):
    name, size, options = MODELS[kind]
    torch.manual_seed(0)
    if 'embed_dim' in options and 'num_heads' not in options:
        options = {**options, 'num_heads': 4}
    model = timm.create_model(name, img_size=size, **options).eval()
    x = torch.randn(2, 3, size, size)
    spec = igq.QuantSpec(method=method, groups=4, w_bits=4, a_bits=bits)
    qmodel = igq.quantize(model, spec)
    igq.calibrate(qmodel, [x])
    return qmodel, x


@pytest.mark.parametrize('bits', [3, 4, 8])
@pytest.mark.parametrize('kind', MODELS)
@torch.inference_mode()
def test_equals_the_simulation(kernels, monkeypatch, kind, bits):
    """All of it, with whatever kernels; nothing stays simulated."""
    monkeypatch.setattr(fused_attention, 'library', lambda: library(kernels))
    qmodel, x = calibrated(kind, bits)
    integer = igq.to_integer(qmodel)
    attentions = [k for k in integer.igq_runtime if k.endswith('attn')]
    assert attentions
    for name in attentions:
        reason = integer.igq_runtime[name]
        if kernels == 'none':
            assert 'no kernels' in reason
            continue
        assert reason is None
        layer = integer.get_submodule(name)
        assert isinstance(layer, IntegerFusedAttention)
    assert torch.equal(integer(x), qmodel(x))


@pytest.mark.parametrize('method', ['igq_integral', 'layerwise', 'sorted'])
@torch.inference_mode()
def test_methods(method):
    if library() is None:
        pytest.skip('no kernels here')
    qmodel, x = calibrated('vit', 4, method)
    integer = igq.to_integer(qmodel)
    assert set(integer.igq_runtime.values()) == {None}
    assert torch.equal(integer(x), qmodel(x))
    again = pickle.loads(pickle.dumps(integer))
    assert torch.equal(again(x), qmodel(x))
    assert str(igq.summary(integer)) == str(igq.summary(qmodel))


def test_rows_with_a_range_of_their_own_stay_simulated():
    qmodel, _ = calibrated('vit', 4, 'upper_bound')
    reasons = igq.to_integer(qmodel).igq_runtime
    reason = next(v for k, v in reasons.items() if k.endswith('attn'))
    assert 'not uniform' in reason or library() is None


@torch.inference_mode()
def test_other_keys_than_queries_stay_simulated():
    """PVTv2 attends to fewer keys than it has queries."""
    torch.manual_seed(0)
    model = timm.create_model('pvt_v2_b0', depths=(1, 1, 1, 1)).eval()
    x = torch.randn(1, 3, 64, 64)
    qmodel = igq.quantize(model, igq.QuantSpec(groups=4))
    igq.calibrate(qmodel, [x])
    integer = igq.to_integer(qmodel)
    if library() is not None:
        found = [v for k, v in integer.igq_runtime.items() if 'attn' in k]
        assert 'its queries and keys are of different tokens' in found
        assert found.count(None) >= 1
    assert torch.equal(integer(x), qmodel(x))


@torch.inference_mode()
def test_no_images_and_masks():
    """What a float class may hand on: none, True and False, one for all."""
    if library() is None:
        pytest.skip('no kernels here')
    qmodel, _ = calibrated('vit', 4)
    integer = igq.to_integer(qmodel)
    name = 'blocks.0.attn'
    one, other = qmodel.get_submodule(name), integer.get_submodule(name)
    for images in (0, 1, 3):
        x = torch.randn(3, images, 3, 17, 64)
        allowed = torch.rand(17, 17) < 0.7
        allowed.fill_diagonal_(True)
        for mask in (
            None,
            allowed,
            torch.randn(17, 17),
            torch.randn(1, 3, 17, 17),
            torch.randn(3, 17, 17),
            torch.randn(images, 1, 17, 17),
            torch.randn(3, 1, 17)[:1],
        ):
            for causal in (False, True) if mask is None else (False,):
                found, expected = (
                    layer.attend_fused(*x, mask, is_causal=causal)
                    for layer in (other, one)
                )
                assert torch.equal(found, expected)
