"""Which layer of a real Mask R-CNN gets which settings."""

import collections

import pytest
from torch import nn

from igq_mmdet import QuantSpec
from igq_mmdet.errors import SpecError
from igq_mmdet.modules import QuantWindowMSA
from igq_mmdet.modules.plan import candidates, make_plan, part_of
from igq_mmdet.modules.table import quantized_class

BLOCKS = 2 + 2 + 4 + 2  # of the demo's Swin


def count(plan):
    return dict(collections.Counter(c.part for c in plan.values()))


def test_parts_of_mask_rcnn(demo_model):
    plan = make_plan(demo_model, QuantSpec())
    # a block: qkv, attention, proj, fc1, fc2; then patch embedding and
    # three patch mergings
    assert count(plan) == {
        'backbone': 5 * BLOCKS + 1 + 3,
        'neck': 8,
        'rpn': 3,
        'bbox_head': 4,
        'mask_head': 4,
    }
    assert list(plan) == [name for name, _, _ in candidates(demo_model)]
    # nothing with a weight that is multiplied is left out
    kinds = nn.Linear | nn.Conv2d | nn.ConvTranspose2d
    for name, module in demo_model.named_modules():
        if isinstance(module, kinds):
            assert name in plan


@pytest.mark.parametrize(
    'parts,expected',
    [
        ('detector', {'backbone', 'neck', 'rpn', 'bbox_head', 'mask_head'}),
        ('backbone', {'backbone'}),
        ('neck,rpn', {'neck', 'rpn'}),
        (['mask_head'], {'mask_head'}),
    ],
)
def test_presets_and_parts(demo_model, parts, expected):
    assert (
        set(count(make_plan(demo_model, QuantSpec(parts=parts)))) == expected
    )


def test_the_picture_has_bits_of_its_own(demo_model):
    plan = make_plan(demo_model, QuantSpec(w_bits=3, a_bits=4))
    picture = plan.pop('backbone.patch_embed.projection')
    assert (picture.w_bits, picture.a_bits) == (3, 8)
    assert {(c.w_bits, c.a_bits) for c in plan.values()} == {(3, 4)}
    spec = QuantSpec(input_bits=5, parts='neck')
    assert {c.a_bits for c in make_plan(demo_model, spec).values()} == {4}


def test_a_first_layer_of_many_channels_is_no_picture():
    model = nn.Sequential(nn.Conv2d(5, 4, 1), nn.Conv2d(3, 4, 1))
    plan = make_plan(model, QuantSpec())
    assert [c.a_bits for c in plan.values()] == [4, 4]


def test_settings_by_part(demo_model):
    spec = QuantSpec(parts={'backbone': dict(w_bits=8, groups=3), 'rpn': {}})
    plan = make_plan(demo_model, spec)
    found = {(c.part, c.w_bits, c.groups) for c in plan.values()}
    assert found == {('backbone', 8, 3), ('rpn', 4, 12)}


def test_include_and_exclude(demo_model):
    spec = QuantSpec(include=['*.qkv', 'neck.*'], exclude=['neck.fpn_convs.*'])
    plan = make_plan(demo_model, spec)
    assert count(plan) == {'backbone': BLOCKS, 'neck': 4}
    assert all('qkv' in name or 'lateral' in name for name in plan)


@pytest.mark.parametrize('field', ['include', 'exclude'])
@pytest.mark.parametrize('parts', ['detector', 'neck'])
def test_patterns_that_match_nothing(demo_model, field, parts):
    pattern = 'bakcbone.*' if parts == 'detector' else 'backbone.*'
    spec = QuantSpec(parts=parts, **{field: [pattern]})
    message = f"^{field} pattern '{pattern}' matches no layer .* like '"
    with pytest.raises(SpecError, match=message.replace('*', r'\*', 1)):
        make_plan(demo_model, spec)


def test_nothing_left(demo_model):
    with pytest.raises(SpecError, match='leave no layer'):
        make_plan(demo_model, QuantSpec(exclude=['*']))
    with pytest.raises(SpecError, match='ReLU has no layer that can be'):
        make_plan(nn.ReLU(), QuantSpec())


def test_unknown_parts(demo_model):
    with pytest.raises(SpecError, match="'nekc'; did you mean 'neck'?"):
        make_plan(demo_model, QuantSpec(parts='nekc'))
    with pytest.raises(SpecError, match="'backbone'; choose from model"):
        make_plan(nn.Sequential(nn.Linear(2, 2)), QuantSpec(parts='backbone'))


def test_layer_groups(demo_model):
    qkv = 'backbone.stages.0.blocks.0.attn.w_msa.qkv'
    plan = make_plan(demo_model, QuantSpec(layer_groups={qkv: 5}))
    assert {n for n, c in plan.items() if c.groups == 5} == {qkv}
    message = f"names '{qkv[:-1]}', .* did you mean '{qkv}'?"
    with pytest.raises(SpecError, match=message):
        make_plan(demo_model, QuantSpec(layer_groups={qkv[:-1]: 5}))


@pytest.mark.parametrize('targets', ['both', 'linear', 'softmax'])
def test_targets(demo_model, targets):
    plan = make_plan(demo_model, QuantSpec(targets=targets))
    modules = dict(demo_model.named_modules())
    for name, config in plan.items():
        softmax = quantized_class(modules[name]) is QuantWindowMSA
        grouped = targets in ('both', 'softmax' if softmax else 'linear')
        assert config.method == ('igq' if grouped else 'layerwise')


def test_part_of():
    assert part_of('roi_head.bbox_head.0.fc_cls', True) == 'bbox_head'
    assert part_of('bbox_head.cls_convs.0', True) == 'bbox_head'
    assert part_of('roi_head.mask_head', True) == 'mask_head'
    assert part_of('backbones.conv', True) == 'backbones'
    assert part_of('backbone.conv', False) == 'model'
