"""The table in every form."""

import csv
import io
import re

from igq_mmdet.report.compare import (
    collect,
    csv_text,
    markdown_text,
    page,
    report_files,
    terminal_text,
)

from .conftest import BOX, DETECTOR, MASK

IGQ = dict(w_bits=4, a_bits=4, groups=3)
PLAIN = dict(w_bits=4, a_bits=4, method='layerwise')
HOSTILE = '=cmd|"x" <b>\x1b[2J\x85`a|b`</b>'


def read(*folders):
    return collect(report_files(folders))


def test_terminal(write):
    folders = [
        write('one', (0.5, IGQ), (0.4, PLAIN)),
        write('two', (0.6, IGQ), seed=1),
    ]
    title, header, _, full, plain, igq = terminal_text(
        read(*folders)
    ).splitlines()
    assert title == 'small, parts: detector, 3 images'
    assert re.split('  +', header)[:4] == [
        *('setting', 'runs', 'box AP', 'to float')
    ]
    assert full.split()[:2] == ['float', '70.00']
    assert re.split('  +', plain)[:4] == [
        *('layerwise W4A4', '1', '40.00', '-30.00')
    ]
    assert re.split('  +', igq)[:6] == [
        *('igq:3 W4A4', '2', '55.00 ± 7.07', '-15.00'),
        *('27.50 ± 3.54', '-7.50'),
    ]


def test_without_float_or_a_metric(write):
    folder = write('one', (0.5, IGQ), full=None, metrics={'coco/x': 0.1})
    text = terminal_text(read(folder))
    assert 'float ' not in text.splitlines()[3] and 'AP' not in text


def test_csv_has_every_run_unrounded(write):
    folders = [
        write('one', (1 / 3, IGQ)),
        write('two', (2 / 3, IGQ), seed=4),
    ]
    rows = list(csv.DictReader(io.StringIO(csv_text(read(*folders)))))
    assert [float(row[BOX]) for row in rows] == [100 * (1 / 3), 100 * (2 / 3)]
    assert [row['report'] for row in rows] == [str(x) for x in folders]
    assert rows[1]['calibration_images'] == '4'
    assert {row[f'float {BOX}'] for row in rows} == {'70.0'}


def test_names_of_others_do_no_harm(write):
    cohorts = read(write('one', (0.5, IGQ), name=HOSTILE))
    shown = terminal_text(cohorts)
    assert '\x1b' not in shown and '\x85' not in shown and '[2J' in shown
    page = markdown_text(cohorts)
    assert '<b>' not in page
    (row,) = [line for line in page.splitlines() if 'cmd' in line]
    header = next(line for line in page.splitlines() if 'setting' in line)
    count = len(re.findall(r'(?<!\\)\|', header))
    assert len(re.findall(r'(?<!\\)\|', row)) == count
    (entry,) = csv.DictReader(io.StringIO(csv_text(cohorts)))
    assert entry['setting'].startswith("'=cmd")


def by_kind(**kinds):
    found = {BOX: 0.5}
    return found | {f'{BOX}_by_kind/{kind}': ap for kind, ap in kinds.items()}


def test_by_a_field_of_the_images(write):
    about = DETECTOR | {'by': {'kind': {'many': 2, 'few': 1}}}
    any_kind = write(
        'any', (0, IGQ), detector=about, metrics=by_kind(few=0.3, many=0.4)
    )
    one_kind = write(
        'one',
        (0, IGQ),
        detector=about,
        metrics=by_kind(few=0.2),
        calibration={'image_ids': [1], 'where': {'kind': 'many'}},
    )
    cohorts = read(any_kind, one_kind)
    *_, title, head, _, full, first, second = terminal_text(
        cohorts
    ).splitlines()
    assert title == 'by kind'
    assert re.split('  +', head) == [
        *('setting', 'box AP, many (2)', 'box AP, few (1)')
    ]
    assert full.split() == ['float', '-', '-']
    assert re.split('  +', first) == ['igq:3 W4A4', '40.00', '30.00']
    # other calibration images are another setting
    name = 'igq:3 W4A4, calibrated on kind many'
    assert re.split('  +', second) == [name, '-', '20.00']
    # the table of all images does not have them
    assert cohorts[0].metrics == [BOX, MASK]
    text = markdown_text(cohorts)
    assert 'By kind:' in text and '| 40.00 | 30.00 |' in text
    rows = list(csv.DictReader(io.StringIO(csv_text(cohorts))))
    key = f'{BOX}_by_kind/many'
    assert [row[key] for row in rows] == ['40.0', '']


def test_page_has_the_table_too(write):
    folder = write('one', (0, IGQ), metrics=by_kind(**{'<b>': 0.3}))
    html = page(read(folder), {})
    assert 'By kind of the images' in html
    assert 'box AP, &lt;b&gt;' in html and '<b>' not in html.split('h3')[-1]
    assert 'Table of settings by kind' in html
    plain = page(read(write('two', (0.5, IGQ))), {})
    assert 'of the images<' not in plain
