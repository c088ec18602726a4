"""Registries of methods and of ways to round weights are open."""

import importlib

import pytest
import torch

import igq_mmdet as igq
from igq_mmdet.errors import SpecError
from igq_mmdet.methods import METHODS, ROUNDINGS, Method, StaticQuantizer
from igq_mmdet.open_registry import OpenRegistry


@pytest.fixture
def registry():
    return OpenRegistry('method', Method)


def test_a_class_is_found_by_its_name(registry):
    @registry.register_module()
    class Own(Method):
        pass

    @registry.register_module('other')
    class Other(Method):
        pass

    assert list(registry) == ['Own', 'other'] and len(registry) == 2
    assert registry['Own'] is Own and isinstance(
        registry.build('other'), Other
    )
    assert registry.register_module('third', module=Own) is Own
    registry.check('third')


@pytest.mark.parametrize('name', ['a:8', 'a,b', 'a b', '', '8', '+', 'a/b'])
def test_names_are_one_word(registry, name):
    with pytest.raises(SpecError, match='letters, digits and _'):
        registry.register_module(name or ' ', module=Method)


def test_what_cannot_be_registered(registry):
    for wrong in (int, Method(), 'igq'):
        with pytest.raises(SpecError, match=r"'own' must be a class derived"):
            registry.register_module('own', module=wrong)
    registry.register_module('own', module=Method)
    with pytest.raises(SpecError, match='registered already, by igq_mmdet'):
        registry.register_module('own', module=Method)

    class Own(Method):
        pass

    registry.register_module('own', force=True, module=Own)
    assert registry['own'] is Own
    with pytest.raises(SpecError, match=r"unknown method 'won'; did you mean"):
        registry.check('won')


@pytest.mark.parametrize('name', METHODS)
def test_every_method_has_quantizers_for_both_places(name):
    own = METHODS[name]
    assert own.__doc__ and own.inputs is not None
    layer = torch.nn.Linear(8, 4)
    spec = igq.QuantSpec(method=name, groups=2)
    qlayer = igq.quantize(layer, spec)
    igq.calibrate(qlayer, [torch.randn(2, 5, 8)])
    assert qlayer.input_quantizer.ready
    alone = igq.quantize(layer, igq.QuantSpec(method=name, groups=1))
    if own.grouped:
        assert type(alone.input_quantizer) is StaticQuantizer


def test_mmengine_sees_the_same_classes():
    pytest.importorskip('mmengine')
    from igq_mmdet.registry import QUANT_METHODS, WEIGHT_ROUNDINGS

    assert QUANT_METHODS.get('igq') is METHODS['igq']
    assert WEIGHT_ROUNDINGS.get('nearest') is ROUNDINGS['nearest']
    try:

        @QUANT_METHODS.register_module('theirs')
        class Theirs(Method):
            pass

        assert METHODS['theirs'] is Theirs
        assert igq.QuantSpec(method='theirs').method == 'theirs'
        with pytest.raises(SpecError, match='registered already'):
            METHODS.register_module('theirs', module=Theirs)
    finally:
        METHODS.module_dict.pop('theirs', None)
    with pytest.raises(SpecError, match='must be a class derived'):
        QUANT_METHODS.register_module('number', module=int)


def test_a_quantize_of_its_own_is_never_bypassed(rand):
    """Integer products would be those of the class it derives from."""

    class Halves(StaticQuantizer):
        def quantize(self, x, counted, out):
            result = super().quantize(x, counted, out)
            return result.mul_(0.5)

    class Same(StaticQuantizer):
        pass

    assert Halves.form is None and Same.form == StaticQuantizer.form
    layer = torch.nn.Linear(6, 3)
    qlayer = igq.quantize(layer, igq.QuantSpec(method='layerwise', w_bits=8))
    igq.calibrate(qlayer, [rand(2, 5, 6)])
    x = rand(2, 5, 6)
    plain = qlayer(x)
    halves = Halves(4)
    halves.set_bounds(
        qlayer.input_quantizer.lower, qlayer.input_quantizer.upper
    )
    qlayer.input_quantizer = halves
    expected = (plain - layer.bias) / 2 + layer.bias
    torch.testing.assert_close(qlayer(x), expected)


@pytest.mark.parametrize(
    'module,name',
    [
        ('igq_mmdet.quantizers', 'StaticQuantizer'),
        ('igq_mmdet.quantizers', 'FixedGroupQuantizer'),
        ('igq_mmdet.quantizers.channel_group', 'ChannelGroupQuantizer'),
        ('igq_mmdet.quantizers.channel_group', 'assign_channels'),
        ('igq_mmdet.quantizers.row_group', 'RowGroupQuantizer'),
        ('igq_mmdet.quantizers.integral_group', 'round_base'),
    ],
)
def test_old_addresses_work_with_a_warning(module, name):
    with pytest.warns(FutureWarning, match=rf'{name} is now igq_mmdet.meth'):
        found = getattr(importlib.import_module(module), name)
    assert found.__name__ == name
    with pytest.raises(AttributeError, match='nothing'):
        importlib.import_module(module).nothing  # noqa: B018
