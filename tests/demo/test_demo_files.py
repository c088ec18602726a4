"""The demo's images: split, licences and attributions."""

import json
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / 'demo'
# CC BY 2.0, CC BY-SA 2.0, no known copyright restrictions.
FREE_LICENCES = {4, 5, 7}


def images(split):
    return json.loads((DEMO / f'instances_{split}.json').read_text())['images']


def test_split_is_whole_and_disjoint():
    calib = {image['file_name'] for image in images('calib')}
    evaluated = {image['file_name'] for image in images('eval')}
    assert (len(calib), len(evaluated)) == (8, 56)
    assert not calib & evaluated
    there = {path.name for path in (DEMO / 'images').iterdir()}
    assert there == calib | evaluated


def test_licences_allow_redistribution():
    both = images('calib') + images('eval')
    assert {image['license'] for image in both} <= FREE_LICENCES


def test_attributions_are_up_to_date(monkeypatch):
    monkeypatch.syspath_prepend(str(DEMO))
    from attributions import attributions

    text = (DEMO / 'ATTRIBUTIONS.md').read_text()
    assert text == attributions()
    for image in images('calib') + images('eval'):
        assert image['flickr_url'] in text
