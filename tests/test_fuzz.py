"""A share of ``python -m tests.fuzz``, and what it found once."""

import logging
from itertools import islice
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('mmdet')

import igq_mmdet as igq
from igq_mmdet.errors import IGQError, SpecError, one_line

from .conftest import ROOT
from .fuzz import __main__ as command
from .fuzz.kinds import KINDS
from .fuzz.trial import REFUSED, WRONG, Case, Differs, judge


@pytest.fixture(autouse=True)
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    logging.getLogger('igq_mmdet').setLevel(logging.ERROR)
    yield
    logging.getLogger('igq_mmdet').setLevel(logging.NOTSET)


@pytest.mark.parametrize('name', KINDS)
def test_none_is_wrong(name, tmp_path):
    kind = KINDS[name]
    cases = kind.make(Random(f'pytest {name}'), tmp_path)
    found = [(case.label, judge(case)) for case in islice(cases, kind.quick)]
    assert [one for one in found if one[1].kind == WRONG] == []
    assert any(outcome.kind == REFUSED for _, outcome in found)


def case_of(attempt, names='x.json', **fields):
    return Case('', lambda folder: None, attempt, names, **fields)


def fail(error):
    def attempt(folder):
        raise error

    return attempt


@pytest.mark.parametrize(
    'attempt',
    [
        fail(KeyError('id')),
        fail(Differs('1 instead of 2')),
        fail(SystemExit(1)),
        fail(IGQError('no field id')),  # of which file?
        lambda folder: (folder / 'half').write_text('x'),
    ],
)
def test_the_judge_sees_what_is_wrong(attempt):
    assert judge(case_of(attempt)).kind == WRONG


def test_the_judge_accepts_one_line():
    outcome = judge(case_of(fail(IGQError('x.json: no\nfield'))))
    assert (outcome.kind, outcome.text) == (REFUSED, 'x.json: no field')
    case = case_of(lambda folder: None, must=REFUSED)
    assert judge(case).kind == WRONG


def test_cases_hang_on_the_seed_alone(tmp_path):
    for kind in KINDS.values():
        first, second, other = (
            [
                case.label
                for case in islice(kind.make(Random(seed), tmp_path), 9)
            ]
            for seed in (1, 1, 2)
        )
        assert first == second != other


def test_command(capsys):
    assert command.main(['--kind', 'checkpoint', '--cases', '20']) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith('checkpoint: 20 cases, ') and '0 wrong' in line


@given(st.text(max_size=2000), st.integers(50, 500))
def test_one_line_can_be_shown(text, length):
    line = one_line(IGQError(text), length)
    assert len(line) <= length and (line.isprintable() or not line)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    ),
    st.sampled_from(list(igq.QuantSpec().to_dict())),
)
def test_a_spec_takes_or_refuses_any_json(value, field):
    try:
        spec = igq.QuantSpec.from_dict({field: value})
    except SpecError as error:
        assert one_line(error)
    else:
        assert igq.QuantSpec.from_json(spec.to_json()) == spec


def test_groups_have_a_limit():
    with pytest.raises(SpecError, match='groups must be at most 65536, got'):
        igq.QuantSpec(groups=10**12)
    with pytest.raises(SpecError, match='got a huge number'):
        igq.QuantSpec(groups=10**5000)
