"""Tables, CSV, JSON and the picture of a sensitivity run."""

import csv
import json

import pytest

from igq_mmdet.report.sensitivity import (
    ap_table,
    sensitivity_table,
    sorted_rows,
    totals_table,
    write_sensitivity,
)


def row(layer, part, kind, kl, sqnr):
    return dict(layer=layer, part=part, kind=kind, bits=4, kl=kl, sqnr=sqnr)


ROWS = [
    row('a', 'backbone', 'fc_input', 0.01, 15.0),
    row('a', 'backbone', 'weights', 0.03, 20.0),
    row('b', 'backbone', 'fc_input', 0.02, 12.0),
    row('m', 'mask_head', 'conv_input', None, 18.0),
    row('n', 'mask_head', 'conv_input', None, 11.0),
    row('z', 'mask_head', 'weights', None, None),
]


def test_the_most_harmful_first_and_the_unseen_last():
    order = [(found['layer'], found['kind']) for found in sorted_rows(ROWS)]
    assert order == [
        ('a', 'weights'),
        ('b', 'fc_input'),
        ('a', 'fc_input'),
        ('n', 'conv_input'),
        ('m', 'conv_input'),
        ('z', 'weights'),
    ]


def test_tables():
    lines = sensitivity_table(ROWS, 2).splitlines()
    assert len(lines) == 4
    assert lines[2].split() == [
        'a',
        'backbone',
        'weights',
        '4',
        '0.030000',
        '20.0',
    ]
    assert sensitivity_table(ROWS).splitlines()[-1].split()[-2:] == ['-', '-']
    totals = {
        tuple(line.split()[:2]): line.split()[2:]
        for line in totals_table(ROWS).splitlines()[2:]
    }
    assert totals['backbone', 'fc_input'] == ['2', '0.030000', '12.0']
    assert totals['mask_head', 'conv_input'] == ['2', '-', '11.0']
    assert totals['mask_head', 'weights'] == ['1', '-', '-']


def test_ap_table():
    def found(part, kind, box, **mask):
        metrics = {'coco/bbox_mAP': box, **mask}
        return dict(part=part, layer=None, kind=kind, metrics=metrics)

    text = ap_table([found(None, None, 0.5), found('neck', 'weights', 0.45)])
    assert text.splitlines()[2].split() == [
        'nothing',
        '50.00',
        '0.00',
        '-',
        '-',
    ]
    assert text.splitlines()[3].split() == [
        'neck',
        'weights',
        '45.00',
        '5.00',
        '-',
        '-',
    ]


def test_files(tmp_path):
    pytest.importorskip('matplotlib')
    folder = tmp_path / 'new'
    data = dict(spec={}, calibration={'seed': 0}, rows=ROWS, ap=None)
    paths = write_sensitivity(data, folder)
    assert sorted(folder.iterdir()) == sorted(paths)
    with open(folder / 'sensitivity.csv', newline='') as file:
        read = list(csv.DictReader(file))
    assert [found['layer'] for found in read] == list('abanmz')
    assert read[0]['kl'] == '0.03' and read[-1]['kl'] == ''
    whole = json.loads((folder / 'sensitivity.json').read_text())
    assert whole['schema'] == 'igq_mmdet.sensitivity/1'
    assert whole['rows'] == sorted_rows(ROWS)
    picture = (folder / 'sensitivity.png').read_bytes()
    assert picture.startswith(b'\x89PNG') and len(picture) > 5000
