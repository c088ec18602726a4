"""The demo's images: split, licences and attributions."""

import json
from pathlib import Path

import pytest

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


def saliency():
    return json.loads((DEMO / 'saliency/instances.json').read_text())['images']


def test_images_of_saliency_are_others():
    """It is calibrated on the demo's."""
    names = {image['file_name'] for image in saliency()}
    there = {path.name for path in (DEMO / 'saliency/images').iterdir()}
    assert names == there and len(names) == 89
    both = images('calib') + images('eval')
    assert not names & {image['file_name'] for image in both}


def test_licences_allow_redistribution():
    every = images('calib') + images('eval') + saliency()
    assert {image['license'] for image in every} <= FREE_LICENCES


@pytest.mark.parametrize('folder', ['.', 'saliency'])
def test_attributions_are_up_to_date(monkeypatch, folder):
    monkeypatch.syspath_prepend(str(DEMO))
    from attributions import attributions

    text = (DEMO / folder / 'ATTRIBUTIONS.md').read_text()
    assert text == attributions(folder)
    every = images('calib') + images('eval') if folder == '.' else saliency()
    for image in every:
        assert image['flickr_url'] in text
