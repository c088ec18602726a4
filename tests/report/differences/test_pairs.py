"""What a setting is compared with."""

import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.report.differences.pairs import reference_pairs

FOUR = ['layerwise W4A4', 'igq:8 W4A4', 'layerwise W8A3', 'igq:8 W8A3']


def test_the_first_of_the_same_bits():
    assert reference_pairs(FOUR) == {
        'igq:8 W4A4': 'layerwise W4A4',
        'igq:8 W8A3': 'layerwise W8A3',
    }
    # runs of several seeds come up again
    assert reference_pairs(FOUR * 2) == reference_pairs(FOUR)
    assert reference_pairs(['float', *FOUR]) == reference_pairs(FOUR)


def test_one_alone_has_only_float():
    assert reference_pairs(['igq:8 W4A4']) == {}
    assert reference_pairs(['float', 'igq:8 W4A4', 'igq:8 W8A8']) == {
        'igq:8 W4A4': 'float',
        'igq:8 W8A8': 'float',
    }


def test_a_method_is_that_of_the_same_bits():
    assert reference_pairs(FOUR, 'igq:8') == {
        'layerwise W4A4': 'igq:8 W4A4',
        'layerwise W8A3': 'igq:8 W8A3',
    }
    assert reference_pairs([*FOUR, 'repq W6A6'], 'igq:8') == (
        reference_pairs(FOUR, 'igq:8')
    )


def test_a_whole_name_is_that_of_all():
    found = reference_pairs(FOUR, 'igq:8 W8A3')
    assert set(found.values()) == {'igq:8 W8A3'} and len(found) == 3
    found = reference_pairs(['float', *FOUR], 'float')
    assert list(found) == FOUR and set(found.values()) == {'float'}


def test_what_was_done_alike_comes_first():
    names = [
        f'{method} W4A4{rest}'
        for rest in ('', ', kind a', ', kind b')
        for method in ('layerwise', 'igq:8')
    ]
    expected = {
        'igq:8 W4A4': 'layerwise W4A4',
        'igq:8 W4A4, kind a': 'layerwise W4A4, kind a',
        'igq:8 W4A4, kind b': 'layerwise W4A4, kind b',
    }
    assert reference_pairs(names) == expected
    more = [*names, 'igq:8 W4A4, on integers']
    assert reference_pairs(more) == {
        **expected,
        'igq:8 W4A4, on integers': 'layerwise W4A4',
    }
    found = reference_pairs(more, 'layerwise')
    assert found['igq:8 W4A4, kind b'] == 'layerwise W4A4, kind b'
    assert found['igq:8 W4A4, on integers'] == 'layerwise W4A4'


def test_names_of_others_are_taken_as_they_are():
    assert reference_pairs(['x', 'y']) == {'y': 'x'}
    assert reference_pairs(['x', 'y'], 'y') == {'x': 'y'}


@pytest.mark.parametrize('reference', ['igq', 'igq:12', 'float', '', 'W4A4'])
def test_what_is_not_there_is_refused(reference):
    with pytest.raises(DataError) as found:
        reference_pairs(FOUR, reference)
    said = str(found.value)
    assert '--reference' in said and all(name in said for name in FOUR)
