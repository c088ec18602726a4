"""tools/ptq_coco.py on the nuclei: weights, kinds, and what is refused."""

import json

import pytest

pytest.importorskip('mmdet')

from ..conftest import ROOT
from ..few import annotations, judged_by

CONFIG = 'configs/nuclei/mask-rcnn_swin-mini_nuclei.py'
KINDS = ('fluorescence', 'stained tissue')
BOX, MASK = 'coco/bbox_mAP', 'coco/segm_mAP'


@pytest.fixture
def few(tmp_path):
    """Options: two test and two calibration images of two kinds each."""
    options = []
    for split, parts in (
        ('test', ('test_dataloader.dataset', 'test_evaluator')),
        ('val', ('calib_dataset',)),
    ):
        path = ROOT / f'demo/nuclei/instances_{split}.json'
        content = json.loads(path.read_text())
        content['images'] = [
            image
            for kind in KINDS
            for image in [
                one for one in content['images'] if one['kind'] == kind
            ][:2]
        ]
        ids = {image['id'] for image in content['images']}
        content['annotations'] = [
            one for one in content['annotations'] if one['image_id'] in ids
        ]
        small = tmp_path / f'{split}.json'
        small.write_text(json.dumps(content))
        options += [f'{part}.ann_file={small}' for part in parts]
    return options


@pytest.mark.slow
def test_weights_find_themselves_and_kinds_are_reported(ptq, few):
    args = (CONFIG, '--calib-images', 2, '--calib-each', 'kind')
    args += ('--groups', 4, '--skip-sqnr', '--quiet')
    done = ptq(*args, options=few)
    assert done.status == 0, done.err
    by = {'kind': {'fluorescence': 2, 'stained tissue': 2}}
    assert done.report['detector']['by'] == by
    full = done.report['float']['metrics']
    for kind in KINDS:
        # a detector that detects, though these are few
        assert full[f'{BOX}_by_kind/{kind}'] > 0.1
        assert full[f'{MASK}_by_kind/{kind}'] > 0.1
    runs = done.report['runs']
    where = [run['calibration'].get('where') for run in runs]
    assert where == [None, *({'kind': kind} for kind in KINDS)]
    drawn = [set(run['calibration']['image_ids']) for run in runs]
    assert drawn[1] | drawn[2] >= drawn[0] and not drawn[1] & drawn[2]
    assert all(
        f'{BOX}_by_kind/{kind}' in run['metrics']
        for run in runs
        for kind in KINDS
    )
    lines = done.out.splitlines()
    start = lines.index('AP by kind, box / mask')
    head, _, float_row, *rows = lines[start + 1 : start + 7]
    assert 'calibrated on' in head and 'stained tissue (2)' in head
    assert float_row.startswith('float')
    assert [row.startswith('igq:4 W4A4') for row in rows] == [True] * 3
    assert 'kind stained tissue' in rows[2]
    # predictions of each are kept apart: nothing is evaluated again
    before = {**done.report, 'environment': None}
    again = ptq(*args, '--resume', options=few)
    assert again.status == 0, again.err
    assert {**again.report, 'environment': None} == before


@pytest.mark.parametrize(
    'args, options, text',
    [
        (
            (),
            ['load_from=demo/gone.safetensors'],
            'demo/gone.safetensors: no such checkpoint',
        ),
        ((), ['load_from=None'], 'no load_from'),
        ((), ['load_from=3'], 'load_from must be a path, got 3'),
        (
            (),
            ['model.roi_head.bbox_head.num_classes=80'],
            'roi_head.bbox_head has 80 classes and the evaluation set 1',
        ),
        (
            ('demo/swin_mini_mask_rcnn.safetensors',),
            [],
            'made for another architecture',
        ),
        ((), ['test_dataloader.dataset.metainfo=None'], "'person', which is"),
        ((), ['ap_by=sort'], "has no 'sort'; images have"),
        ((), ['ap_by=3'], 'ap_by must name a field'),
        (('--calib-where', 'kind'), [], "'kind' is not FIELD=VALUE"),
        (('--calib-where', 'kind=x'), [], "no image has kind 'x'"),
        (('--calib-each', 'sort'), [], "has no 'sort'"),
        (
            ('--calib-where', 'kind=brightfield', '--calib-images', 2),
            [],
            "has 1 with kind 'brightfield', choose 1 to 1",
        ),
    ],
)
def test_refused(args, options, text, ptq):
    done = ptq(
        CONFIG, *args, '--quiet', options=options, few=['log_level=ERROR']
    )
    assert done.status == 1 and done.report is None
    assert done.err.startswith('error: ') and done.err.count('\n') == 1
    assert text in done.err


@pytest.mark.slow
def test_results_of_other_images(ptq, few, tmp_path):
    """What was kept of other images is not gone on with."""
    args = (CONFIG, '--groups', 4, '--skip-sqnr', '--quiet')
    args += ('--calib-where', 'kind=fluorescence', '--skip-float')
    listed = ROOT / 'demo/nuclei/instances_test.json'
    one, two = (judged_by(annotations(count, listed)) for count in (1, 2))
    assert ptq(*args, options=[*few, *one]).status == 0
    done = ptq(*args, '--resume', options=[*few, *two])
    assert done.status == 1 and done.err.count('\n') == 1
    assert 'the evaluated images changed' in done.err
