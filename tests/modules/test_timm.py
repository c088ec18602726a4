"""Every family of classifiers in the table: one test over all of it."""

import functools

import pytest
import torch

import igq_mmdet as igq
from igq_mmdet.inspection.families import TIMM, TORCHVISION
from igq_mmdet.modules.instances import current_instances
from igq_mmdet.modules.table import CONTAINERS, LAYERS, class_name
from tests.agreement import each_alone
from tests.modules.classifiers import build, images, relative

pytest.importorskip('timm')

FAMILIES = pytest.mark.parametrize(
    'family', (*TIMM, *TORCHVISION), ids=lambda family: family.name
)


@functools.cache
def calibrated(name):
    """A quantized model of a family, for all tests that change nothing."""
    (family,) = [f for f in (*TIMM, *TORCHVISION) if f.name == name]
    qmodel = igq.quantize(build(family), igq.QuantSpec(groups=4))
    igq.calibrate(qmodel, [images(family)])
    return qmodel


@FAMILIES
def test_family(family, tmp_path):
    model, x = build(family), images(family)
    wanted = model(x)
    qmodel = igq.quantize(model, igq.QuantSpec(groups=4))
    assert relative(qmodel(x), wanted) < 1e-5

    found = igq.coverage(qmodel, x)
    assert not found.uncovered, str(found)
    assert {row.state for row in found.rows} <= {'quantized', 'excluded'}
    for row in found.rows:
        assert row.reason or row.state == 'quantized'
    for kind in ('softmax', 'product'):
        done, total = found.count(kind)
        assert done == total > 0

    qmodel = calibrated(family.name)
    batch = qmodel(x)
    assert 1e-3 < relative(batch, wanted) < 3

    igq.save(qmodel, tmp_path / 'q.safetensors')
    again = igq.load(model, tmp_path / 'q.safetensors')
    assert torch.equal(again(x), batch)
    assert not igq.coverage(again, x).uncovered


@FAMILIES
@pytest.mark.parametrize('layers', ['*', '*attn*q*'])
def test_a_batch_is_its_images(family, layers):
    """Also where projections of an attention are quantized alone."""
    x = images(family)
    if layers == '*':
        qmodel = calibrated(family.name)
    else:
        spec = igq.QuantSpec(groups=4, include=layers)
        qmodel = igq.quantize(build(family), spec)
        igq.calibrate(qmodel, [x])
    batch, alone = each_alone(qmodel, qmodel, x, x.split(1))
    assert relative(torch.cat(alone), batch) < 1e-4


def test_table_and_families_agree():
    """No row of the table for timm or torchvision goes untested."""
    seen = {
        class_name(module)
        for family in (*TIMM, *TORCHVISION)
        for module in build(family).modules()
    }
    rows = {
        name
        for name in {**LAYERS, **CONTAINERS}
        if name.startswith(('timm.', 'torchvision.'))
    }
    older = {'timm.models.vision_transformer.Attention'}  # before timm 1.0.20
    assert rows - older == seen & rows


@pytest.mark.parametrize(
    'size, window, shift', [(24, 7, 3), (14, 7, 3), (10, 8, 4), (6, 6, 0)]
)
def test_padded_positions_are_those_of_timm(size, window, shift):
    """Tokens hold their own position, so that padding shows as zeros."""
    from timm.models.swin_transformer import SwinTransformerBlock

    block = SwinTransformerBlock(
        dim=4,
        input_resolution=(size, size),
        num_heads=2,
        window_size=window,
        shift_size=shift,
    ).eval()
    spec = igq.QuantSpec(include='attn.*')
    qblock = igq.quantize(block, spec)
    seen = []

    def look(module, args):
        keep = current_instances().keep
        tokens = args[0].abs().sum(-1) > 0
        seen.append((tokens, keep))

    qblock.attn.register_forward_pre_hook(look)
    qblock._attn(torch.ones(2, size, size, 4))
    (tokens, keep), *_ = seen
    if size % window == 0:
        assert keep is None and tokens.all()
    else:
        assert torch.equal(tokens, torch.cat([keep, keep]))


def _masks(length):
    generator = torch.Generator().manual_seed(3)
    allowed = torch.rand(length, length, generator=generator) < 0.7
    allowed.fill_diagonal_(True)
    return {
        'bool': dict(attn_mask=allowed),
        'float': dict(attn_mask=torch.randn(2, 1, length, length)),
        'causal': dict(is_causal=True),
    }


@pytest.mark.parametrize('kind', ['bool', 'float', 'causal'])
@pytest.mark.parametrize('options', [{}, {'qk_norm': True}], ids=str)
def test_masks_are_passed_on(kind, options):
    from timm.layers.attention import Attention

    torch.manual_seed(0)
    attention = Attention(
        24, 3, norm_layer=torch.nn.LayerNorm, qkv_bias=True, **options
    ).eval()
    x, call = torch.randn(2, 9, 24), _masks(9)[kind]
    qattention = igq.quantize(attention, igq.QuantSpec(groups=3))
    with torch.no_grad():
        wanted = attention(x, **call)
        torch.testing.assert_close(
            qattention(x, **call), wanted, rtol=1e-5, atol=1e-5
        )
        assert not torch.allclose(attention(x), wanted, atol=1e-3)


def test_fewer_heads_of_keys_than_of_queries():
    from timm.layers.attention import AttentionRope

    torch.manual_seed(0)
    attention = AttentionRope(
        24, 4, num_kv_heads=2, qkv_fused=False, num_prefix_tokens=0
    ).eval()
    x = torch.randn(2, 9, 24)
    qattention = igq.quantize(attention, igq.QuantSpec(groups=3))
    with torch.no_grad():
        torch.testing.assert_close(qattention(x), attention(x))
    found = igq.coverage(qattention, x)
    assert not found.uncovered and found.count('softmax') == (1, 1)


@pytest.mark.parametrize(
    'method', ['layerwise', 'upper_bound', 'consecutive', 'sorted']
)
def test_other_methods(method):
    family = TIMM[0]
    model, x = build(family), images(family)
    qmodel = igq.quantize(model, igq.QuantSpec(groups=4, method=method))
    igq.calibrate(qmodel, [x])
    assert 1e-3 < relative(qmodel(x), model(x)) < 3
