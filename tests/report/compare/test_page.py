"""The page: whole by itself, and harmless whatever reports say."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from igq_mmdet.report.compare import (
    Drawn,
    Gallery,
    Shelf,
    collect,
    page,
    report_files,
)
from igq_mmdet.report.compare.agreement import Agreement
from igq_mmdet.report.compare.svg import Scale

from ...browser import opened
from ...conftest import ROOT
from .conftest import DETECTOR

IGQ = dict(w_bits=4, a_bits=4, groups=3)
WIDE = dict(w_bits=8, a_bits=3, groups=3)
PLAIN = dict(w_bits=4, a_bits=4, method='layerwise')
EVIL = '"><script>document.title="hurt"</script><img src=x onerror=alert(1)>'
SQNR = {'0': {'fc_input': 20.5, 'weights': 21.0}, '2': {'fc_input': 12.25}}


def data_uri(name):
    content = (ROOT / 'demo/images' / name).read_bytes()
    return f'data:image/jpeg;base64,{base64.b64encode(content).decode()}'


@pytest.fixture
def cohorts(write):
    evil = DETECTOR | {'config': EVIL, 'classes': [EVIL]}
    folders = [
        write('one', (0.5, IGQ), (0.4, PLAIN), (0.6, WIDE), sqnr=SQNR),
        write('two', (0.52, IGQ), seed=1),
        write(
            'evil',
            (0.5, IGQ),
            detector=evil,
            name=EVIL,
            sqnr={EVIL: SQNR['0']},
        ),
    ]
    return collect(report_files(folders))


@pytest.fixture
def gallery():
    names = sorted(x.name for x in (ROOT / 'demo/images').glob('*.jpg'))[:3]
    images = [data_uri(name) for name in names]
    shelves = {
        f'{EVIL} {shelf}': Shelf(
            9,
            0.25,
            [
                Drawn(f'{name}{EVIL}', Agreement(4, 3, 2), uri, uri)
                for name, uri in zip(names, images, strict=True)
            ],
        )
        for shelf in range(2)
    }
    return Gallery(shelves, [f'a note {EVIL}'])


class Elements(HTMLParser):
    """Counts what the browser would see."""

    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.attributes = []
        self.open = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ('meta', 'img', 'input'):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_whole_by_itself(cohorts, gallery):
    text = page(cohorts, {0: gallery})
    found = Elements(text)
    assert found.open == [] and found.tags.count('section') == 2
    for name, value in found.attributes:
        assert not name.startswith('on'), (name, value)
        if name in ('src', 'href', 'data', 'action'):
            assert value.startswith('data:image/jpeg;base64,')
    assert '://' not in text and '@import' not in text
    ids = [value for name, value in found.attributes if name == 'id']
    assert len(ids) == len(set(ids))
    (script,) = re.findall(r'<script>(.*?)</script>', text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest())
    assert f"script-src 'sha256-{digest.decode()}'" in text


def test_names_of_others_stay_text(cohorts, gallery):
    text = page(cohorts, {1: gallery})
    assert EVIL not in text and text.count('<script') == 1
    assert 'must not be compared with each other' in text
    found = Elements(text)
    assert ('onerror', 'alert(1)') not in found.attributes


def test_says_what_is_missing(write):
    (cohort,) = collect(report_files([write('one', (0.5, PLAIN))]))
    text = page([cohort], {0: Gallery(notes=['no predictions here'])})
    assert 'No report holds the signal-to-noise ratio' in text
    assert 'No setting has groups' in text
    assert 'no predictions here' in text
    cohort.runs[0].layers.clear()
    assert 'do not list their layers' in page([cohort], {})


@pytest.mark.parametrize(
    'values, zero, ticks',
    [
        ([73.52, 50], True, [0, 20, 40, 60, 80]),
        ([2.37, 4.35], False, [2.0, 2.5, 3.0, 3.5, 4.0, 4.5]),
        ([8, 8], True, [0, 2, 4, 6, 8]),
        ([0, 0], True, None),
        ([-3, -3], False, None),
        ([1e-12, 2e-12], False, None),
        ([3e15], True, None),
    ],
)
def test_scales_hold_their_values(values, zero, ticks):
    scale = Scale(values, zero)
    if ticks is not None:
        assert scale.ticks == pytest.approx(ticks)
    assert scale.low <= min(values) and scale.high >= max(values)
    shown = [scale.percent(tick) for tick in scale.ticks]
    assert shown[0] == pytest.approx(0) and shown[-1] == pytest.approx(100)
    assert len({scale.label(tick) for tick in scale.ticks}) == len(shown)


@pytest.fixture
def file(cohorts, gallery, tmp_path):
    path = tmp_path / 'compare.html'
    path.write_text(page(cohorts, {0: gallery}), encoding='utf-8')
    return path


AREAS = """charts => charts.map(chart => {
    const box = chart.getBoundingClientRect();
    const marks = [...chart.querySelectorAll('.bar, .point, .column')];
    return [chart.id, box.width * box.height, marks.length, marks.filter(x => {
        const mark = x.getBoundingClientRect();
        return mark.width > 2 && mark.height > 2
            && mark.right > box.left && mark.left < box.right;
    }).length];
})"""
NAMES = """body => [...body.rows].filter(row => !row.hidden)
    .map(row => row.cells[0].textContent)"""


def names(page):
    return page.eval_on_selector('#s0 tbody', NAMES)


def test_in_a_browser(chromium, file):
    with opened(chromium, file) as seen:
        view = seen.page
        charts = view.eval_on_selector_all('svg.chart', AREAS)
        assert len(charts) == 2 * (2 + 4 + 1 + 2)
        for chart, area, marks, drawn in charts:
            assert area > 10_000 and marks == drawn > 0, chart

        # sorted by a click and by the keyboard
        before = names(view)
        head = view.locator('#s0 thead th', has_text='box AP')
        assert head.get_attribute('aria-sort') == 'none'
        head.locator('button').click()
        assert head.get_attribute('aria-sort') == 'ascending'
        rising = names(view)
        assert rising[0] == 'layerwise W4A4' and rising[-1] == 'float'
        view.keyboard.press('Enter')
        assert head.get_attribute('aria-sort') == 'descending'
        assert names(view) == rising[::-1] and before[0] == 'float'
        assert view.locator('#s0 [aria-sort=ascending]').count() == 0

        # filters
        view.locator('#s0 .chip', has_text='W8A3').click()
        assert 'igq:3 W8A3' not in names(view) and len(names(view)) == 3
        bars = view.locator('#s0-bars-0 .mark:visible')
        assert bars.count() == 2
        view.locator('#s0 input[type=search]').fill('layer')
        assert names(view)[1:] == ['layerwise W4A4'] and bars.count() == 1
        assert '1 of 3' in view.locator('#s0 .count').inner_text()
        view.locator('#s0 input[type=search]').fill('')
        view.locator('#s0 .chip', has_text='W8A3').click()

        # tips by pointer and by keyboard
        tip = view.locator('#tip')
        assert not tip.is_visible()
        view.locator('#s0-bars-0 .mark').first.hover()
        assert 'layerwise W4A4' in tip.inner_text()
        view.locator('#s0-bars-0 .mark').first.focus()
        view.keyboard.press('ArrowDown')
        assert 'igq:3 W4A4' in tip.inner_text()
        assert '51.00 ± 1.41, float 70.00' in tip.inner_text()
        view.locator('#s0-sqnr-0 .mark').first.focus()  # far below
        view.wait_for_timeout(300)
        assert tip.is_visible()
        assert '20.5 igq:3 W4A4' in tip.inner_text()

        # images: another setting, and larger
        images = view.locator('#s0 .images img:visible')
        assert images.count() == 6
        view.locator('select.panels').select_option('1')
        assert images.count() == 6
        widths = images.evaluate_all('all => all.map(x => x.naturalWidth)')
        assert min(widths) > 100
        images.first.click()
        view.locator('dialog img').wait_for(state='visible')
        view.keyboard.press('Escape')
        assert view.title() != 'hurt'
    assert seen.said == []
    assert all(u.startswith(('file:', 'data:image/')) for u in seen.asked)


def test_on_a_phone(chromium, file):
    with opened(chromium, file, 'phone', color_scheme='dark') as seen:
        widths = seen.page.evaluate(
            '[document.documentElement.scrollWidth, innerWidth]'
        )
        assert widths == [390, 390]
        scroll = seen.page.locator('.scroll').first
        inner = scroll.evaluate('box => box.scrollWidth - box.clientWidth')
        assert inner > 0  # the table scrolls in its box
        sizes = seen.page.eval_on_selector_all(
            'svg text', 'all => all.map(x => getComputedStyle(x).fontSize)'
        )
        assert {float(size[:-2]) for size in sizes} <= {12.0, 13.0}
    assert seen.said == []
