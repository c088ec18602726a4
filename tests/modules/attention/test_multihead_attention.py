"""nn.MultiheadAttention, in every way it can be called."""

import itertools

import pytest
import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.modules import QuantLinear
from tests.agreement import each_alone

EMBED, HEADS, LENGTH, KEYS, BATCH = 12, 3, 5, 7, 2
SPEC = igq.QuantSpec(groups=3)


def attention(**options):
    torch.manual_seed(0)
    module = nn.MultiheadAttention(EMBED, HEADS, **options).eval()
    for parameter in module.parameters():
        parameter.data.normal_(std=0.4)
    return module


def tensors(module, batched=True):
    generator = torch.Generator().manual_seed(1)
    made = []
    for length, width in (
        (LENGTH, EMBED),
        (KEYS, module.kdim),
        (KEYS, module.vdim),
    ):
        shape = (BATCH, length, width) if batched else (length, width)
        x = torch.randn(*shape, generator=generator)
        if batched and not module.batch_first:
            x = x.transpose(0, 1)
        made.append(x)
    return made


def masks():
    generator = torch.Generator().manual_seed(2)
    flat = torch.rand(LENGTH, KEYS, generator=generator) < 0.3
    full = torch.rand(BATCH * HEADS, LENGTH, KEYS, generator=generator) < 0.3
    flat[:, 0] = full[..., 0] = False  # no query without any key
    padding = torch.zeros(BATCH, KEYS, dtype=torch.bool)
    padding[1, 4:] = True
    floats = torch.randn(LENGTH, KEYS, generator=generator)
    soft = torch.randn(BATCH, KEYS, generator=generator)
    return {
        'attn_mask': [None, flat, full, floats],
        'key_padding_mask': [None, padding, soft],
    }


def same(found, wanted):
    torch.testing.assert_close(found[0], wanted[0], rtol=1e-5, atol=1e-5)
    if wanted[1] is None:
        assert found[1] is None
    else:
        torch.testing.assert_close(found[1], wanted[1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize('batch_first', [False, True])
@pytest.mark.parametrize('need_weights', [False, True])
@pytest.mark.parametrize('average', [False, True])
def test_masks(batch_first, need_weights, average):
    module = attention(batch_first=batch_first)
    qmodule = igq.quantize(module, SPEC)
    args = tensors(module)
    for attn_mask, padding in itertools.product(*masks().values()):
        if padding is not None and attn_mask is not None:
            if padding.is_floating_point() != attn_mask.is_floating_point():
                continue  # torch warns that it is going to refuse this
        options = dict(
            attn_mask=attn_mask,
            key_padding_mask=padding,
            need_weights=need_weights,
            average_attn_weights=average,
        )
        with torch.no_grad():
            same(qmodule(*args, **options), module(*args, **options))


@pytest.mark.parametrize(
    'options',
    [
        dict(bias=False),
        dict(add_bias_kv=True),
        dict(add_zero_attn=True),
        dict(add_bias_kv=True, add_zero_attn=True),
        dict(kdim=8, vdim=10),
    ],
    ids=str,
)
@pytest.mark.parametrize('batched', [True, False])
def test_options(options, batched):
    module = attention(**options)
    qmodule = igq.quantize(module, SPEC)
    args = tensors(module, batched)
    padding = masks()['key_padding_mask'][1]
    padding = padding if batched else padding[1]
    with torch.no_grad():
        for mask in (None, padding):
            same(
                qmodule(*args, key_padding_mask=mask),
                module(*args, key_padding_mask=mask),
            )


def test_every_product_goes_through_quantizers():
    module = attention(batch_first=True)
    qmodule = igq.quantize(module, SPEC)
    found = igq.coverage(qmodule, *tensors(module))
    assert not found.uncovered
    assert [(row.layer, row.kind) for row in found.rows] == [
        ('q_proj', 'linear'),
        ('k_proj', 'linear'),
        ('v_proj', 'linear'),
        ('', 'product'),
        ('', 'softmax'),
        ('out_proj', 'linear'),
    ]


def test_padded_keys_do_not_count():
    """What lies in the padding changes neither calibration nor results."""
    module = attention(batch_first=True)
    query, key, value = tensors(module)
    padding = masks()['key_padding_mask'][1]
    loud = [x.clone() for x in (key, value)]
    for x in loud:
        x[1, 4:] = 1e3
    results = []
    for keys in ((key, value), loud):
        qmodule = igq.quantize(module, SPEC)
        igq.calibrate(qmodule, [(query, *keys, padding)])
        results.append(qmodule(query, *keys, padding)[0])
    assert torch.equal(*results)


def test_each_image_is_quantized_alone():
    module = attention()
    args = tensors(module)
    args[1][:, 1] *= 4
    qmodule = igq.quantize(module, SPEC)
    igq.calibrate(qmodule, [tuple(args)])
    singles = [[x[:, i : i + 1] for x in args] for i in range(2)]
    both, alone = each_alone(
        qmodule, lambda args: qmodule(*args)[0], args, singles
    )
    torch.testing.assert_close(both, torch.cat(alone, 1), rtol=0, atol=1e-4)


def test_no_queries():
    module = attention(batch_first=True)
    args = tensors(module)
    qmodule = igq.quantize(module, SPEC)
    igq.calibrate(qmodule, [tuple(args)])
    out, weights = qmodule(args[0][:, :0], *args[1:])
    assert out.shape == (BATCH, 0, EMBED)
    assert weights.shape == (BATCH, 0, KEYS)


def test_projections_have_settings_of_their_own():
    net = nn.ModuleDict({'attn': attention(batch_first=True)})
    spec = igq.QuantSpec(groups=3, layer_groups={'attn.k_proj': 2})
    qnet = igq.quantize(net, spec)
    layers = dict(qnet.named_modules())
    for name, groups in (('q', 3), ('k', 2), ('v', 3), ('out', 3)):
        layer = layers[f'attn.{name}_proj']
        assert isinstance(layer, QuantLinear)
        assert layer.config.groups == groups
    only = igq.quantize(net, igq.QuantSpec(include='*.v_proj'))
    kinds = [n for n, m in only.named_modules() if isinstance(m, QuantLinear)]
    assert kinds == ['attn.v_proj']


def test_save_and_load(tmp_path):
    module = attention(batch_first=True)
    args = tuple(tensors(module))
    qmodule = igq.quantize(module, SPEC)
    igq.calibrate(qmodule, [args])
    igq.save(qmodule, tmp_path / 'q.safetensors')
    again = igq.load(module, tmp_path / 'q.safetensors')
    assert torch.equal(again(*args)[0], qmodule(*args)[0])


@pytest.mark.parametrize('norm_first', [False, True])
def test_torch_encoder_layer(norm_first):
    """Its fast path would read the weights past the quantizers."""
    torch.manual_seed(0)
    layer = nn.TransformerEncoderLayer(
        EMBED, HEADS, 16, batch_first=True, norm_first=norm_first
    ).eval()
    encoder = nn.TransformerEncoder(layer, 2).eval()
    x = torch.randn(BATCH, LENGTH, EMBED)
    with torch.no_grad():
        wanted = encoder(x)
        qmodel = igq.quantize(encoder, SPEC)
        torch.testing.assert_close(qmodel(x), wanted, rtol=1e-5, atol=1e-5)
    found = igq.coverage(qmodel, x)
    assert not found.uncovered
    assert found.count('softmax') == (2, 2)
    assert found.count('linear') == (12, 12)
