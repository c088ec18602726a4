"""What is said of an ablation follows from its figures."""

import copy
import json
import math

import pytest

from igq_mmdet.errors import DataError
from igq_mmdet.report.ablations.plot import plot_groups
from igq_mmdet.report.ablations.results_page import results_page
from igq_mmdet.report.ablations.tables import (
    HEADER,
    lines,
    spread,
    table_rows,
)
from igq_mmdet.report.ablations.words import (
    CLAIMS,
    ablation_text,
    allocation_words,
    ordering_words,
    over_seeds,
    short_words,
)
from igq_mmdet.report.differences import Difference
from igq_mmdet.report.training_words import training_words

LEVELS = {
    'layer-wise': 20,
    'consecutive, fixed': 30,
    'sorted, fixed': 40,
    'instance-aware, linear only': 50,
    'instance-aware': 60,
}


def run(box, bops=2e9):
    return {
        'metrics': {'coco/bbox_mAP': box / 100, 'coco/segm_mAP': box / 200},
        'bops': bops,
    }


@pytest.fixture
def data():
    """Five seeds; the settings are ten AP apart."""
    runs, rows = {}, []
    for label, level in LEVELS.items():
        names = [f'{label} {seed}' for seed in range(5)]
        for seed, name in enumerate(names):
            # what a seed adds differs a little between settings
            runs[name] = run(level + seed + level * seed / 100)
        rows.append({'label': label, 'bits': [4, 4], 'runs': names})
    groups = []
    for g in (1, 8):
        runs[f'g{g}'] = run(20 + g, g * 1e9)
        groups.append({'label': str(g), 'bits': [4, 4], 'runs': [f'g{g}']})
    return {
        'detector': 'some-detector_demo',
        'groups': 8,
        'bits': [[4, 4]],
        'float': {'metrics': {'coco/bbox_mAP': 0.7, 'coco/segm_mAP': 0.6}},
        'environment': {
            'versions': dict.fromkeys(
                ('igq_mmdet', 'torch', 'mmcv', 'mmdet'), '1'
            ),
            'device': 'cpu',
            'commit': 'abc',
        },
        'tables': {
            'methods': {'title': 'Methods', 'rows': rows},
            'groups': {'title': 'Groups', 'rows': groups},
        },
        'runs': runs,
    }


def test_difference_is_paired():
    off = over_seeds([10, 21, 32, 43], [9, 19, 29, 39])
    assert off.mean == 2.5 and off.higher == off.seeds == 4
    assert off.error == pytest.approx(math.sqrt(5 / 3) / 2)
    assert off.sign == 1
    assert over_seeds([9, 19, 29, 39], [10, 21, 32, 43]).sign == -1
    assert over_seeds([1, 5, 1, 5], [5, 1, 5, 2]).sign == 0
    assert over_seeds([3], [1]).sign == 0  # one seed proves nothing


def test_spread():
    assert spread([]) == '-'
    assert spread([1.234]) == '1.23'
    assert spread([1.0, 3.0]) == '2.00 ± 1.41'


def test_lines_are_means_over_runs(data):
    first = lines(data, 'methods')[0]
    assert (first.label, first.bits) == ('layer-wise', (4, 4))
    assert first.box == pytest.approx((20, 21.2, 22.4, 23.6, 24.8))
    assert first.mask == pytest.approx([x / 2 for x in first.box])
    assert first.bops == 2e9


def test_an_order_that_holds_is_confirmed(data):
    *single, together = ordering_words(data)
    assert len(single) == 2 * len(CLAIMS)
    assert all('confirmed' in line for line in single)
    assert together.endswith('confirmed in every comparison')


def test_an_order_that_does_not_hold_is_contradicted(data):
    rows = data['tables']['methods']['rows']
    rows[0]['runs'], rows[2]['runs'] = rows[2]['runs'], rows[0]['runs']
    words = ordering_words(data)
    wrong = [line for line in words if 'contradicted (' in line]
    assert wrong and all('above layer-wise' in line for line in wrong)
    assert f'contradicted in {len(wrong)} of 10' in words[-1]


def test_noise_is_called_noise(data):
    same = copy.deepcopy(data)
    rows = same['tables']['methods']['rows']
    rows[2]['runs'] = list(reversed(rows[1]['runs']))
    rows[3]['runs'] = rows[1]['runs']
    words = ordering_words(same)
    assert any('within noise' in line for line in words[:-1])
    assert 'within noise' in words[-1]


def test_without_masks(data):
    for entry in data['runs'].values():
        del entry['metrics']['coco/segm_mAP']
    assert lines(data, 'methods')[0].mask == ()
    assert len(ordering_words(data)) == len(CLAIMS) + 1
    assert ' - ' in ablation_text(data)
    assert '| - |' in results_page(data, 'a.json')


def test_allocation_is_judged_as_well(data):
    rows = data['tables']['methods']['rows']
    data['tables']['allocation'] = {
        'title': 'Allocation',
        'rows': [
            {**rows[3], 'label': 'the same everywhere'},
            {**rows[4], 'label': 'allocated'},
        ],
    }
    words = allocation_words(data)
    assert len(words) == 2 and all(': confirmed (+' in x for x in words)
    assert all(f'- {x}' in results_page(data, 'a.json') for x in words)


def test_groups_and_bound_are_judged_in_order(data):
    rows = data['tables']['methods']['rows']
    order = ('layer-wise', '8 groups', '12 groups', 'upper bound')
    data['tables']['short'] = {
        'title': 'Short',
        'rows': [
            {**row, 'label': label}
            for label, row in zip(order, rows, strict=False)
        ],
    }
    words = short_words(data)
    assert len(words) == 6 and all(': confirmed (+' in x for x in words)
    assert words[0].startswith('W4A4, box AP: 8 groups above layer-wise:')
    page = results_page(data, 'a.json')
    assert all(f'- {x}' in page for x in words)


def test_a_page_says_how_weights_were_made(data, tmp_path):
    """Two logs of one training, which was resumed after step 20."""
    for start, steps in (('one', (10, 20, 30)), ('two', (30, 40))):
        folder = tmp_path / start / 'vis_data'
        folder.mkdir(parents=True)
        lines = [
            json.dumps({'step': step, 'loss': 90 - step, 'time': 6.0})
            for step in steps
        ]
        lines.append(json.dumps({'coco/bbox_mAP': 0.5, 'step': 40}))
        (folder / 'scalars.json').write_text('\n'.join(lines))
    words = training_words(tmp_path, 'd_demo', ['short'], 5, 'docs/d.md')
    assert 'for 40 steps, 4\nminutes' in words
    assert 'from 80.00 to 50.00' in words and 'iter_40.pth' in words
    assert words in results_page(data, 'a.json', training=words)
    with pytest.raises(DataError, match='no .*scalars.json'):
        training_words(tmp_path / 'one', 'd', ['short'], 5, 'docs/d.md')


def test_page_holds_every_figure_and_no_other(data):
    page = results_page(data, 'a.json', 'img/p.svg')
    assert '(img/p.svg)' in page and 'box AP 70.00' in page
    for table in data['tables']:
        for line in lines(data, table):
            assert f'| {line.label} | 4/4 | {len(line.box)} |' in page
            assert f' {spread(line.box)} | {spread(line.mask)} |' in page
    assert 'confirmed in every comparison' in page


def test_the_same_results_make_the_same_picture(data, tmp_path):
    pytest.importorskip('matplotlib')
    for name in ('one.svg', 'two.svg'):
        plot_groups(data, tmp_path / 'img' / name)
    one, two = (p.read_bytes() for p in sorted(tmp_path.glob('img/*')))
    assert one == two and one.startswith(b'<?xml')


def measured(of, against, mean, low, high, metric='coco/bbox_mAP'):
    off = Difference(mean / 100, low / 100, high / 100, 5, 0.001)
    about = {'of': of, 'against': against, 'bits': [4, 4], 'metric': metric}
    return about | off.to_dict()


def test_words_follow_intervals_where_there_are_some(data):
    """Seeds would confirm every claim; the images do not."""
    claims = zip(
        CLAIMS, [(1, 2), (-2, 1), (-3, -1), (0, 2), (1, 3)], strict=True
    )
    data['tables']['methods']['differences'] = [
        measured(*claim, sum(ends) / 2, *ends) for claim, ends in claims
    ]
    *single, together = ordering_words(data)
    box = [line for line in single if 'box AP' in line]
    mask = [line for line in single if 'mask AP' in line]
    verdicts = [line.split(': ')[-1].split(' (')[0] for line in box]
    assert verdicts == [
        'confirmed',
        'cannot tell',
        'contradicted',
        'cannot tell',
        'confirmed',
    ]
    assert box[1].endswith('(-0.50 ± 0.10 [-2.00, +1.00])')
    assert all(': confirmed (+' in line for line in mask)  # by seeds
    assert 'contradicted in 1 of 10' in together
    page = results_page(data, 'a.json')
    assert '95 % interval over images' in page and 'standard error' not in page


def test_differences_to_the_first_line(data):
    rows = data['tables']['groups']['rows']
    assert table_rows(data, 'groups')[0] == HEADER
    data['tables']['groups']['differences'] = [
        measured('8', '1', 7, 6, 8),
        measured('8', '1', 3, -1, 5, 'coco/segm_mAP'),
    ]
    head, first, second = table_rows(data, 'groups')
    assert head == (*HEADER, 'box AP to first', 'mask AP to first')
    assert len(rows) == 2 and first[-2:] == ('', '')
    assert second[-2:] == (
        '+7.00 ± 0.10 [+6.00, +8.00] above',
        '+3.00 ± 0.10 [-1.00, +5.00] cannot tell',
    )
    assert second[-2] in ablation_text(data)
    assert f'| {second[-2]} | {second[-1]} |' in results_page(data, 'a.json')
