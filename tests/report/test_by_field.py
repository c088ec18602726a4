"""AP by a field of the images: read off metrics, set in a table."""

from igq_mmdet.report import result_text
from igq_mmdet.report.by_field import field_tables, fields_of, key_of

BOX, MASK = 'coco/bbox_mAP', 'coco/segm_mAP'


def metrics(ap, **kinds):
    found = {BOX: ap, MASK: ap / 2}
    for kind, value in kinds.items():
        found[key_of(BOX, 'kind', kind)] = value
        found[key_of(MASK, 'kind', kind)] = value / 2
    return found


def entry(name, found, seed=0, **where):
    calibration = {'seed': seed, 'image_ids': [seed], 'seconds': 1.0}
    if where:
        calibration['where'] = where
    spec = {
        'method': name.split(':')[0],
        'w_bits': 4,
        'a_bits': 4,
        'groups': 8,
        'layer_groups': None,
        'parts': 'detector',
    }
    return {
        'name': name,
        'spec': spec,
        'metrics': found,
        'calibration': calibration,
        'bytes': 1000,
        'eval_seconds': 1.0,
    }


def report(*runs, by=None, full=True):
    detector = {'by': by} if by else {}
    first = {
        'metrics': metrics(0.5, few=0.6, many=0.4),
        'bytes': 4000,
        'eval_seconds': 1.0,
    }
    return {
        'detector': detector,
        'float': first if full else None,
        'runs': list(runs),
    }


def cells(line):
    return [cell.strip() for cell in line.split('  ') if cell.strip()]


def test_fields_of_metrics():
    found = metrics(0.5, few=0.6, many=0.4) | {'coco/bbox_mAP_50': 0.1}
    found['coco/bbox_mAP_by_a_by_b/x/y'] = 0.2
    assert fields_of(found) == {
        'kind': {BOX: ['few', 'many'], MASK: ['few', 'many']},
        'a_by_b': {BOX: ['x/y']},
    }
    assert fields_of({BOX: 0.1, 'top1': 3.0}) == {}


def test_table():
    run = entry('igq:8 W4A4', metrics(0.4, few=0.5, many=0.3))
    by = {'kind': {'many': 7, 'few': 2}}
    (text,) = field_tables(report(run, by=by))
    title, head, _, full, igq = text.splitlines()
    assert title == 'AP by kind, box / mask'
    assert cells(head) == ['setting', 'all', 'many (7)', 'few (2)']
    assert cells(full) == [
        *('float', '50.00 / 25.00', '40.00 / 20.00', '60.00 / 30.00')
    ]
    assert cells(igq) == [
        *('igq:8 W4A4', '40.00 / 20.00', '30.00 / 15.00', '50.00 / 25.00')
    ]
    assert text in result_text(report(run, by=by))


def test_table_crosses_kinds():
    """Rows are what was calibrated on, columns what was evaluated on."""
    name = 'igq:8 W4A4'
    runs = [
        entry(name, metrics(0.4, few=0.5, many=0.3)),
        entry(name, metrics(0.3, few=0.6), kind='few'),
        entry(name, metrics(0.1, few=0.2), seed=1, kind='few'),
    ]
    (text,) = field_tables(report(*runs, full=False))
    _, head, _, every, few = text.splitlines()
    assert cells(head) == ['setting', 'calibrated on', 'all', 'few', 'many']
    assert cells(every)[:3] == [name, 'any', '40.00 / 20.00']
    # mean and standard deviation over seeds; nothing measured is a dash
    assert cells(few) == [
        *(name, 'kind few', '20.00 +- 14.14 / 10.00 +- 7.07'),
        *('40.00 +- 28.28 / 20.00 +- 14.14', '- / -'),
    ]
    # the other tables tell them apart as well
    said = result_text(report(*runs))
    assert 'igq, kind few' in said and 'igq:8 W4A4, kind few' in said


def test_nothing_by_a_field():
    run = entry('igq:8 W4A4', metrics(0.4))
    data = report(run, full=False)
    assert field_tables(data) == []
