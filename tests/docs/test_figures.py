"""The figures of the README are those of docs/results.md."""

import re

import pytest

from .pages import ROOT

# how the README calls a setting -> how docs/results.md does
SETTINGS = {
    'one quantizer a layer': 'layer-wise',
    'RepQ-ViT': 'RepQ-ViT',
    'IGQ, 8 groups': '8 groups',
    'IGQ, 12 groups': '12 groups',
    'bound: a range for every channel and row': 'upper bound',
}


def rows(page, title):
    """First cell -> others, of the first table after a line."""
    text = (ROOT / page).read_text().split(title, 1)[1]
    lines = re.search(r'(?:^\|.*\n)+', text, re.MULTILINE)[0].splitlines()
    cells = [[c.strip() for c in line.strip('|').split('|')] for line in lines]
    return {first: others for first, *others in cells[2:]}


def test_nuclei_table():
    here = rows('README.md', '**The nuclei detector**')
    float_ap = re.search(
        r'Float: box AP ([\d.]+), mask AP ([\d.]+)\.',
        (ROOT / 'docs/results.md').read_text(),
    )
    assert here.pop('float')[:2] == list(float_ap.groups())
    there = rows('docs/results.md', '## Every method at W4A4')
    assert set(here) == set(SETTINGS)
    for name, cells in here.items():
        bits, seeds, box, mask, _, *differences = there[SETTINGS[name]]
        assert (bits, seeds) == ('4/4', '3')
        assert cells[:2] == [box, mask]
        for mine, off in zip(cells[2:], differences, strict=True):
            figures = re.match(r'\S+ ± \S+ \[.*?\]', off)
            assert mine == ('' if figures is None else figures[0])


@pytest.mark.parametrize('name', SETTINGS)
def test_names(name):
    assert f'| {name} |' in (ROOT / 'README.md').read_text()
