"""Settings are validated with one clear line and survive JSON."""

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from igq_mmdet import PartSpec, QuantSpec
from igq_mmdet.errors import IGQError, SpecError
from igq_mmdet.methods import METHODS
from igq_mmdet.spec import M_STEPS, TARGETS

bits = st.integers(2, 8)
groups = st.integers(1, 40)
name = st.text(st.characters(categories=['L', 'N', 'P']), min_size=1)
part_spec = st.builds(
    PartSpec,
    w_bits=st.none() | bits,
    a_bits=st.none() | bits,
    groups=st.none() | groups,
)
specs = st.builds(
    QuantSpec,
    w_bits=bits,
    a_bits=bits,
    input_bits=bits,
    groups=groups,
    method=st.sampled_from(sorted(METHODS)),
    targets=st.sampled_from(TARGETS),
    m_step=st.sampled_from(M_STEPS),
    parts=st.one_of(
        st.sampled_from(['detector', 'backbone', 'neck,rpn']),
        st.lists(name, min_size=1),
        st.dictionaries(name, part_spec, min_size=1),
    ),
    include=st.lists(name),
    exclude=st.lists(name),
    layer_groups=st.dictionaries(name, groups),
    strict_zero_point=st.booleans(),
    weight_percentiles=st.lists(st.floats(0, 49), min_size=1),
    static_percentiles=st.lists(st.floats(51, 100), min_size=1),
)


@given(specs)
def test_json_round_trip(spec):
    again = QuantSpec.from_json(spec.to_json())
    assert again == spec and again.to_json() == spec.to_json()
    data = json.loads(spec.to_json())
    assert (data['type'], data['version']) == ('QuantSpec', 1)
    fields = {f.name for f in dataclasses.fields(QuantSpec)}
    # what earlier versions do not know stays out while it says nothing
    assert set(data) == fields - {'weights', 'ranges'} | {'type', 'version'}
    assert QuantSpec(**{k: getattr(spec, k) for k in fields}) == spec


BAD = [
    (dict(w_bits=1), 'w_bits must be 2 to 8, got 1'),
    (dict(w_bits=9), 'w_bits must be 2 to 8, got 9'),
    (dict(a_bits=0), 'a_bits must be 2 to 8, got 0'),
    (dict(a_bits=4.0), 'a_bits must be an integer, got 4.0'),
    (dict(a_bits='4'), "a_bits must be an integer, got '4'"),
    (dict(a_bits=True), 'a_bits must be an integer, got True'),
    (dict(w_bits=None), 'w_bits must be an integer, got None'),
    (dict(input_bits=16), 'input_bits must be 2 to 8, got 16'),
    (dict(groups=0), 'groups must be at least 1, got 0'),
    (dict(method='iqg'), "unknown method 'iqg'; did you mean 'igq'?"),
    (dict(method='mine'), 'has to be imported first: custom_imports'),
    (dict(weights='near'), "unknown weights 'near'; did you mean 'nearest'?"),
    (dict(targets='rows'), "unknown targets 'rows'; choose from both,"),
    (dict(m_step='avg'), "unknown m_step 'avg'; choose from mean, envelope"),
    (dict(parts=[]), 'parts is empty; name at least one'),
    (dict(parts={}), 'parts is empty; name at least one'),
    (dict(parts=''), "parts must hold names or patterns, got ''"),
    (dict(parts=7), 'parts must be a list, got 7'),
    (dict(parts={'neck': 4}), "part 'neck' must have settings like"),
    (
        dict(parts={'neck': dict(w_bit=4)}),
        "unknown field of part 'neck' 'w_bit'; did you mean 'w_bits'?",
    ),
    (dict(parts={'neck': dict(w_bits=1)}), 'w_bits must be 2 to 8, got 1'),
    (dict(include=[3]), 'include must hold names or patterns, got 3'),
    (dict(exclude=None), 'exclude must be a list, got None'),
    (dict(layer_groups=[4]), 'layer_groups must give a number by layer name'),
    (
        dict(layer_groups={'fc': 0}),
        r"layer_groups\['fc'\] must be at least 1, got 0",
    ),
    (dict(strict_zero_point=1), 'strict_zero_point must be true or false'),
    (dict(weight_percentiles=[]), 'weight_percentiles is empty'),
    (dict(weight_percentiles=0.1), 'weight_percentiles must be a list'),
    (dict(weight_percentiles=[-1]), 'must lie in 0 to 50 percent, got -1'),
    (dict(weight_percentiles=[float('nan')]), 'percent, got nan'),
    (dict(static_percentiles=[101]), 'must lie in 50 to 100 percent, got 101'),
]


@pytest.mark.parametrize('fields,message', BAD)
def test_bad_values_are_one_clear_line(fields, message):
    with pytest.raises(SpecError, match=message) as caught:
        QuantSpec(**fields)
    assert '\n' not in str(caught.value)
    assert isinstance(caught.value, IGQError | ValueError)


@pytest.mark.parametrize('value', range(2, 9))
def test_every_width(value):
    spec = QuantSpec(w_bits=value, a_bits=value, input_bits=value)
    assert spec.part_settings('neck') == (value, value, 12)


def test_from_dict():
    assert QuantSpec.from_dict(dict(w_bits=8)) == QuantSpec(w_bits=8)
    with pytest.raises(SpecError, match="field 'wbits'; did you mean 'w_bits"):
        QuantSpec.from_dict(dict(wbits=8))
    with pytest.raises(SpecError, match="type 'Other' is not a QuantSpec"):
        QuantSpec.from_dict(dict(type='Other'))
    with pytest.raises(SpecError, match='spec version 99 is not supported'):
        QuantSpec.from_dict(dict(version=99))
    for text in ('{', '[]'):
        with pytest.raises(SpecError, match='spec is not'):
            QuantSpec.from_json(text)


def test_parts_and_presets():
    assert QuantSpec().part_names() is None
    assert QuantSpec(parts='backbone').part_names() == ('backbone',)
    assert QuantSpec(parts='neck, rpn').part_names() == ('neck', 'rpn')
    spec = QuantSpec(parts={'neck': dict(w_bits=8), 'rpn': PartSpec(groups=3)})
    assert spec.part_names() == ('neck', 'rpn')
    assert spec.part_settings('neck') == (8, 4, 12)
    assert spec.part_settings('rpn') == (4, 4, 3)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        QuantSpec().w_bits = 8
