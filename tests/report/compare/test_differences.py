"""Settings of many reports against a reference, on the page as well."""

import json

import numpy as np
import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.report.compare import (
    add_differences,
    collect,
    csv_text,
    markdown_text,
    page,
    report_files,
    terminal_text,
)
from igq_mmdet.report.differences import pack_hits

from ...browser import opened
from .conftest import BOX, DETECTOR

IGQ = dict(w_bits=4, a_bits=4, groups=3)
PLAIN = dict(w_bits=4, a_bits=4, method='layerwise')
BOUND = dict(w_bits=4, a_bits=4, method='upper_bound')
NOISES = {
    'float': 0.0,
    'layerwise W4A4': 0.6,
    'igq:3 W4A4': 0.3,
    'upper_bound W4A4': 0.58,
}


@pytest.fixture
def folder(write, keep):
    folder = write('one', (0.5, IGQ), (0.4, PLAIN), (0.41, BOUND))
    keep(folder, NOISES)
    return folder


def compared(*folders, reference=None):
    cohorts = collect(report_files(folders))
    add_differences(cohorts, reference)
    return cohorts


def test_against_the_plainest_method(folder):
    (cohort,) = compared(folder)
    found = cohort.differences
    assert found.notes == [] and found.images == 40
    words = {name: row[BOX].word for name, row in found.found.items()}
    assert words == {'igq:3 W4A4': 'above', 'upper_bound W4A4': 'cannot tell'}
    said = terminal_text([cohort])
    assert '95 % interval over 40 images, 500 draws' in said
    line = found.found['igq:3 W4A4'][BOX].text(100)
    assert line in said and '] above' in line
    shown = markdown_text([cohort])
    assert line.replace('[', r'\[').replace(']', r'\]') in shown
    assert 'above' not in csv_text([cohort])  # a line a run


def test_against_another_reference(folder):
    (cohort,) = compared(folder, reference='float')
    assert set(cohort.differences.against.values()) == {'float'}
    assert all(
        row[BOX].word == 'below' for row in cohort.differences.found.values()
    )
    (cohort,) = compared(folder, reference='igq:3')
    assert cohort.differences.found['layerwise W4A4'][BOX].word == 'below'
    with pytest.raises(DataError, match="'igq:12' is not evaluated"):
        compared(folder, reference='igq:12')


def test_seeds_of_several_reports(folder, write, keep):
    more = write('two', (0.52, IGQ), (0.4, PLAIN), seed=1)
    keep(more, {'layerwise W4A4': 0.6, 'igq:3 W4A4': 0.2}, seed=1)
    (cohort,) = compared(folder, more)
    off = cohort.differences.found['igq:3 W4A4'][BOX]
    assert off.seeds == 2 and off.spread > 0
    assert cohort.differences.found['upper_bound W4A4'][BOX].seeds == 1


def test_what_was_not_kept_is_said(write, folder):
    bare = write('bare', (0.5, IGQ), (0.4, PLAIN))
    (cohort,) = compared(bare)
    assert cohort.differences.found == {}
    (first, *_, last) = cohort.differences.notes
    assert "no predictions of 'layerwise W4A4'" in first
    assert 'run it again' in last
    assert f'no interval: {first}' in terminal_text([cohort])
    assert 'No interval: ' in markdown_text([cohort])
    assert 'No interval: ' in page([cohort], {})


def test_float_of_any_report_of_the_set(folder, write):
    bare = write('bare', (0.5, IGQ), seed=7)
    (cohort,) = compared(bare, folder, reference='float')
    assert len(cohort.differences.found) == 3
    assert any('seed 7' in note for note in cohort.differences.notes)
    (folder / 'predictions/float.jsonl').unlink()
    (cohort,) = compared(bare, folder, reference='float')
    assert cohort.differences.found == {}
    assert "no predictions of 'float'" in cohort.differences.notes[0]


def test_only_one_of_two_sets_has_the_reference(folder, write):
    other = write('other', (0.5, IGQ), detector={**DETECTOR, 'model': 'bb'})
    one, two = compared(folder, other, reference='layerwise')
    assert one.differences.found and not two.differences.found
    assert "'layerwise' is not evaluated" in two.differences.notes[0]


def test_classifiers_have_theirs_in_the_report(write):
    paths = []
    for name, fields, share in (('one', IGQ, 9), ('two', PLAIN, 5)):
        hits = np.arange(60) % 10 < share
        folder = write(
            name,
            (0.5, fields),
            metrics={'top1': 10.0 * share},
            hits={'top1': pack_hits(hits)},
        )
        paths.append(folder / 'igq_report.json')
        data = json.loads(paths[-1].read_text())
        data['images'] = {'count': 60, 'names': 'ab'}
        paths[-1].write_text(json.dumps(data))
    (cohort,) = compared(*paths)
    off = cohort.differences.found['igq:3 W4A4']['top1']
    assert off.mean == pytest.approx(40) and off.word == 'above'
    assert cohort.differences.notes == []
    paths[0].write_text(json.dumps({**data, 'images': {'count': 90}}))
    with pytest.raises(DataError, match='image by image is damaged') as found:
        compared(*paths)
    assert str(paths[0]) in str(found.value)


def test_page_has_a_chart_for_each_metric(folder):
    (cohort,) = compared(folder)
    text = page([cohort], {})
    for number, label in enumerate(('box AP', 'mask AP')):
        assert f'Difference of {label}' in text
        assert text.count(f'id="s0-differences-{number}"') == 1
    off = cohort.differences.found['igq:3 W4A4'][BOX]
    assert f'box AP of igq:3 W4A4 against layerwise W4A4: {off.text(100)}' in (
        text
    )


def test_in_a_browser(chromium, folder, tmp_path):
    file = tmp_path / 'compare.html'
    file.write_text(page(compared(folder), {}), encoding='utf-8')
    with opened(chromium, file) as seen:
        view = seen.page
        marks = view.locator('#s0-differences-0 .mark')
        assert marks.count() == 2
        widths = view.locator('#s0-differences-0 .interval').evaluate_all(
            'all => all.map(x => x.getBoundingClientRect().width)'
        )
        assert len(widths) == 2 and min(widths) > 20
        marks.first.focus()
        tip = view.locator('#tip')
        assert 'igq:3 W4A4 against layerwise W4A4' in tip.inner_text()
        view.keyboard.press('ArrowDown')
        assert 'upper_bound' in tip.inner_text()
        view.locator('#s0 .chip', has_text='upper_bound').click()
        visible = view.locator('#s0-differences-0 .mark:visible')
        assert visible.count() == 1
    assert seen.said == []
