"""Images of the real detector, ranked and drawn."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip('mmdet')

import mmcv

from igq_mmdet.detection.evaluation.drawings import (
    SIDE,
    draw_detections,
    find_image,
    gallery,
)
from igq_mmdet.errors import DataError
from igq_mmdet.files.journal import Journal
from igq_mmdet.report import run_name
from igq_mmdet.report.compare import collect, rankings, report_files
from igq_mmdet.report.compare.agreement import agreement
from igq_mmdet.report.predictions import FOLDER, OF, SCHEMA, run_mark, slug

IMAGES = 3


def entries(experiment, model):
    """What the test loop's model says of a few images, as stores keep it."""
    from mmdet.structures.mask import encode_mask_results

    loader = experiment.runner.test_loop.dataloader
    for index in range(IMAGES):
        batch = loader.collate_fn([loader.dataset[index]])
        (sample,) = model.test_step(batch)
        found = sample.pred_instances
        masks = encode_mask_results(found.masks.numpy())
        yield {
            'img_id': sample.img_id,
            'img_path': sample.img_path,
            'ori_shape': list(sample.ori_shape),
            'scores': found.scores.tolist(),
            'labels': found.labels.tolist(),
            'bboxes': found.bboxes.tolist(),
            'masks': [
                {'size': list(x['size']), 'counts': x['counts'].decode()}
                for x in masks
            ],
        }


@pytest.fixture(scope='module')
def kept(experiment, calibrated, tmp_path_factory):
    """A work dir with a report and the predictions of both models."""
    from igq_mmdet.report import Report, write_report

    folder = tmp_path_factory.mktemp('kept')
    report = Report(experiment.report.data['detector'])
    report.set_float({'coco/bbox_mAP': 0.5}, experiment.float_bytes, 1.0)
    record = calibrated.record.to_dict()
    report.add_run(calibrated.model, calibrated.metrics, record, 1.0)
    write_report(report, folder / 'igq_report.json')
    name = run_name(calibrated.spec)
    classes = experiment.evaluation.metainfo['classes']
    for run, model in (
        ('float', experiment.detector),
        (name, calibrated.model),
    ):
        header = {'schema': SCHEMA, 'run': run, 'digest': run}
        with Journal(folder / FOLDER / f'{slug(run)}.jsonl') as journal:
            journal.append(header | {'classes': list(classes)})
            for entry in entries(experiment, model):
                journal.append({**entry, OF: run_mark(header)})
    return folder


@pytest.fixture(scope='module')
def cohort(kept):
    (cohort,) = collect(report_files([kept]))
    return cohort


def decoded(uri):
    start = 'data:image/jpeg;base64,'
    assert uri.startswith(start)
    return mmcv.imfrombytes(base64.b64decode(uri[len(start) :]))


def test_worst_first(cohort):
    found, reasons = rankings(cohort, 2)
    (ranking,) = found.values()
    assert reasons == [] and ranking.images == IMAGES
    first, second = ranking.worst
    disagreement = [pair.agreement.disagreement for pair in (first, second)]
    assert disagreement[0] > 0 and disagreement[0] >= disagreement[1]
    assert first.agreement == agreement(first.full, first.quantized)
    (everything,) = rankings(cohort, 9)[0].values()
    assert len(everything.worst) == IMAGES
    values = [pair.agreement.disagreement for pair in everything.worst]
    assert values == sorted(values, reverse=True)
    assert ranking.mean == pytest.approx(sum(values) / IMAGES)


def test_drawn_on_the_image(cohort):
    found = gallery(cohort, 1)
    assert found.notes == []
    (shelf,) = found.shelves.values()
    (drawn,) = shelf.drawn
    path = Path('demo/images') / drawn.name
    plain = mmcv.imread(str(path))
    for uri in (drawn.full, drawn.quantized):
        image = decoded(uri)
        assert image.shape == plain.shape
        off = np.abs(image.astype(int) - plain).max(-1)
        assert 0.02 < (off > 60).mean() < 0.9  # boxes, masks and labels
    assert drawn.full != drawn.quantized
    assert gallery(cohort, 1) == found  # same predictions, same picture


def test_only_what_counts_is_drawn(cohort):
    (ranking,) = rankings(cohort, 1)[0].values()
    (pair,) = ranking.worst
    image = mmcv.imread(pair.path, channel_order='rgb')
    low = pair.full | {'scores': [0.1] * len(pair.full['scores'])}
    assert (draw_detections(image, low, pair.classes) == image).all()
    drawn = draw_detections(image, pair.full, pair.classes)
    assert (drawn != image).any()


def test_large_images_are_made_smaller():
    image = np.zeros((300, 3 * SIDE, 3), np.uint8)
    box = {'scores': [0.9], 'labels': [0], 'bboxes': [[900, 60, 1500, 240]]}
    drawn = draw_detections(image, box, ['a $x name'])
    assert drawn.shape == (100, SIDE, 3)
    rows, columns = np.nonzero(drawn.max(-1) > 60)
    assert abs(int(columns.min()) - 300) < 5
    assert abs(int(columns.max()) - 500) < 5
    assert abs(int(rows.max()) - 80) < 5


@pytest.mark.parametrize(
    'change, said',
    [
        (dict(labels=[-1]), 'label -1'),
        (dict(labels=[10**9]), 'label 1000000000'),
        (dict(masks=[{'size': [10**6, 10**6], 'counts': 'x'}]), 'mask of'),
    ],
)
def test_entries_that_do_not_fit(change, said):
    image = np.zeros((20, 20, 3), np.uint8)
    entry = {'scores': [0.9], 'labels': [0], 'bboxes': [[1, 1, 9, 9]]}
    with pytest.raises(DataError, match=said):
        draw_detections(image, entry | change, ['cat'])


def test_images_that_were_moved(cohort, tmp_path, monkeypatch):
    (tmp_path / 'images').symlink_to(Path('demo/images').resolve())
    monkeypatch.chdir(tmp_path / 'images')
    found = gallery(cohort, 1)
    (shelf,) = found.shelves.values()
    assert shelf.drawn == []
    assert len(found.notes) == 1 and '--data-root' in found.notes[0]
    again = gallery(cohort, 1, tmp_path)
    assert again.notes == [] and len(again.shelves['igq:12 W4A4'].drawn) == 1


def test_finding_images(tmp_path):
    (tmp_path / 'val').mkdir()
    image = tmp_path / 'val/1.jpg'
    image.write_text('')
    assert find_image(str(image)) == image
    assert find_image('/gone/coco/val/1.jpg', tmp_path) == image
    assert find_image('/gone/val/2.jpg', tmp_path) is None


def test_without_predictions(cohort, kept, tmp_path):
    (tmp_path / 'igq_report.json').write_bytes(
        (kept / 'igq_report.json').read_bytes()
    )
    (lonely,) = collect(report_files([tmp_path]))
    found = gallery(lonely, 1)
    assert found.shelves == {}
    assert any("no predictions of 'float'" in note for note in found.notes)
    assert any('tools/ptq_coco.py' in note for note in found.notes)


def test_damaged_predictions_are_said(cohort, kept, tmp_path):
    (tmp_path / FOLDER).mkdir()
    for path in kept.rglob('*.json*'):
        (tmp_path / path.relative_to(kept)).write_bytes(path.read_bytes())
    path = tmp_path / FOLDER / f'{slug("igq:12 W4A4")}.jsonl'
    lines = path.read_bytes().splitlines(keepends=True)
    with Journal(tmp_path / 'bad.jsonl') as journal:
        entry = json.loads(lines[1])
        del entry['crc'], entry['labels']
        journal.append(entry)
    lines[1] = (tmp_path / 'bad.jsonl').read_bytes()
    path.write_bytes(b''.join(lines))
    (damaged,) = collect(report_files([tmp_path]))
    found = gallery(damaged, 1)
    assert found.shelves == {}
    assert any('cannot be used' in note for note in found.notes)
