"""Evaluations that were stopped go on and come to the same metrics."""

import json
import logging

import numpy as np
import pytest

pytest.importorskip('mmdet')

from igq_mmdet.detection.kept.kept_run import KeptRun
from igq_mmdet.errors import DataError
from igq_mmdet.files.journal import Journal, encode, scan
from igq_mmdet.jobs.interruption import Interrupted
from igq_mmdet.report.differences import average_precision
from igq_mmdet.report.predictions import FOLDER, read_predictions

from ...few import few
from ..conftest import FLOAT

NAME = 'igq:12 W4A4'


@pytest.fixture
def own(few_images, tmp_path):
    """Makes an experiment with options and a work dir of its own."""
    from igq_mmdet.studies.experiment import Experiment

    def make(*options, change=None):
        config = few_images(*options)
        if change is not None:
            change(config)
        experiment = Experiment(config, str(tmp_path), quiet=True)
        experiment.load_float(FLOAT)
        return experiment

    return make


@pytest.fixture
def evaluate(monkeypatch, tmp_path):
    """Evaluates, stopped after some images; gives metrics, images run."""

    def run(experiment, model, resume, stop=None, name=NAME):
        kept = KeptRun(
            str(tmp_path),
            experiment.config,
            experiment.evaluation,
            resume,
            quiet=True,
        )
        monkeypatch.setattr(experiment, 'kept', kept)
        seen = []
        step = model.test_step

        def counted(batch):
            if stop is not None and len(seen) >= stop:
                raise Interrupted(15)
            seen.extend(sample.img_id for sample in batch['data_samples'])
            return step(batch)

        with monkeypatch.context() as patch:
            patch.setattr(model, 'test_step', counted, raising=False)
            metrics = None
            try:
                metrics, _ = experiment.evaluate(model, name, {})
            except Interrupted:
                assert stop is not None
        vars(model).pop('test_step', None)
        return metrics, seen

    return run


def file_of(tmp_path, name='igq-12-w4a4'):
    return tmp_path / FOLDER / f'{name}.jsonl'


def test_stopped_twice_it_comes_to_the_same(
    experiment, calibrated, evaluate, tmp_path
):
    model, path = calibrated.model, file_of(tmp_path)
    assert evaluate(experiment, model, False, stop=3)[0] is None
    assert path.read_bytes().count(b'\n') == 4
    with open(path, 'ab') as file:  # killed while it wrote
        file.write(encode({'img_id': 1, 'scores': []})[:20])
    metrics, seen = evaluate(experiment, model, True, stop=2)
    assert metrics is None and len(seen) == 2
    metrics, again = evaluate(experiment, model, True)
    assert metrics == calibrated.metrics
    assert len(again) == 3 and not set(again) & set(seen)
    # in one go: the same file but for times
    straight = [without_seconds(line.entry) for line in scan(path)]
    evaluate(experiment, model, False)
    assert straight == [without_seconds(line.entry) for line in scan(path)]


def without_seconds(entry):
    return {k: v for k, v in entry.items() if k != 'seconds'}


def test_finished_it_is_not_evaluated_again(
    experiment, calibrated, evaluate, monkeypatch
):
    model = calibrated.model
    evaluate(experiment, model, False)
    metrics, seen = evaluate(experiment, model, True)
    assert metrics == calibrated.metrics and seen == []
    # other metrics judge the images anew, without the model
    monkeypatch.setitem(experiment.config.test_evaluator, 'classwise', True)
    metrics, seen = evaluate(experiment, model, True)
    assert metrics == calibrated.metrics and seen == []


def test_matches_are_kept_with_metrics(
    experiment, calibrated, evaluate, tmp_path
):
    evaluate(experiment, calibrated.model, False)
    found = read_predictions(tmp_path, NAME).matches
    assert set(found) == {'coco/bbox_mAP', 'coco/segm_mAP'}
    for key, matches in found.items():
        every = np.ones(matches.images, dtype=int)
        assert average_precision(matches, every) == pytest.approx(
            calibrated.metrics[key], rel=0, abs=1e-12
        )


def test_files_without_matches_are_judged_again(
    experiment, calibrated, evaluate, tmp_path
):
    """As earlier versions left them; no image is predicted again."""
    evaluate(experiment, calibrated.model, False)
    path = file_of(tmp_path)
    *others, last = [line.entry for line in scan(path)]
    del last['matches']
    path.write_bytes(b''.join(map(encode, [*others, last])))
    with pytest.raises(DataError, match='kept without matches'):
        _ = read_predictions(tmp_path, NAME).matches
    metrics, seen = evaluate(experiment, calibrated.model, True)
    assert metrics == calibrated.metrics and seen == []
    assert read_predictions(tmp_path, NAME).matches


def test_a_damaged_line_is_named_and_its_image_evaluated(
    experiment, calibrated, evaluate, tmp_path, caplog
):
    model, path = calibrated.model, file_of(tmp_path)
    evaluate(experiment, model, False)
    lines = path.read_bytes().splitlines(keepends=True)
    image = json.loads(lines[4])['img_id']
    lines[4] = lines[4].replace(b'[', b'(', 1)
    path.write_bytes(b''.join(lines))
    with caplog.at_level(logging.WARNING):
        metrics, seen = evaluate(experiment, model, True)
    assert seen == [image] and metrics == calibrated.metrics
    (message,) = caplog.messages
    assert message.startswith(f'{path}: line 5 is damaged')
    assert len(read_predictions(tmp_path, NAME)) == 8


def test_another_model_is_refused_and_replaced(
    experiment, calibrated, evaluate, tmp_path
):
    evaluate(experiment, calibrated.model, False)
    before = file_of(tmp_path).read_bytes()
    with pytest.raises(DataError) as found:
        evaluate(experiment, experiment.detector, True)
    assert 'weights or quantization setting changed' in str(found.value)
    assert '\n' not in str(found.value) and NAME[:3] in str(found.value)
    assert file_of(tmp_path).read_bytes() == before
    _, seen = evaluate(experiment, experiment.detector, False)
    assert len(seen) == 8


def test_a_refused_model_leaves_the_runner_as_it_was(
    experiment, calibrated, evaluate
):
    evaluate(experiment, experiment.detector, False, 1, 'float')
    before = experiment.runner.model
    with pytest.raises(DataError, match='weights or quantization setting'):
        evaluate(experiment, calibrated.model, True, 1, 'float')
    assert experiment.runner.model is before is not calibrated.model


def test_matches_of_a_run_of_the_report(experiment, calibrated, evaluate):
    evaluate(experiment, calibrated.model, False)
    kept = experiment.kept
    found = kept.matches({'name': NAME, 'calibration': {'seed': 0}})
    assert set(found) == {'coco/bbox_mAP', 'coco/segm_mAP'}
    with pytest.raises(DataError, match='float'):
        kept.matches(None)  # was not evaluated
    kept.predictions = False
    with pytest.raises(DataError, match='were not kept'):
        kept.matches({'name': NAME, 'calibration': {}})


@pytest.mark.parametrize(
    ('option', 'reason'),
    [
        (['test_dataloader.batch_size=2'], 'how images are read and batched'),
        (few(7), 'the evaluated images'),
        (['model.test_cfg.rcnn.score_thr=0.2'], "the config's model"),
    ],
)
def test_another_config_is_refused(own, evaluate, option, reason):
    experiment = own()
    evaluate(experiment, experiment.detector, False, 1, 'float')
    other = own(*option)
    with pytest.raises(DataError, match=f'{reason} changed'):
        evaluate(other, other.detector, True, 1, 'float')


def test_a_batch_is_repeated_as_a_whole(own, evaluate, tmp_path):
    """Images of a batch are padded to one size, which shows in floats."""
    experiment = own('test_dataloader.batch_size=3')
    model, path = experiment.detector, file_of(tmp_path, 'float')
    metrics, seen = evaluate(experiment, model, False, name='float')
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b''.join(lines[:6]))  # the header and five images
    again, repeated = evaluate(experiment, model, True, name='float')
    assert again == metrics and repeated == seen[3:]


def test_files_of_ranks_are_read(experiment, calibrated, evaluate, tmp_path):
    model, path = calibrated.model, file_of(tmp_path)
    evaluate(experiment, model, False, stop=6)
    header, *images = [line.entry for line in scan(path)]
    path.unlink()
    for rank in range(2):
        with Journal(path.with_suffix(f'.rank{rank}.jsonl')) as journal:
            journal.append(header)
            for entry in images[rank::2]:
                journal.append(entry)
    metrics, seen = evaluate(experiment, model, True)
    assert metrics == calibrated.metrics and len(seen) == 2


def test_metrics_that_take_annotations_from_samples(own, evaluate):
    """VOC's mean AP, which has its ground truth from data samples."""

    def voc(config):
        config.test_evaluator = dict(type='VOCMetric', metric='mAP')
        annotations = dict(type='LoadAnnotations', with_bbox=True)
        config.test_dataloader.dataset.pipeline.insert(2, annotations)

    experiment = own(change=voc)
    model = experiment.detector
    metrics, _ = evaluate(experiment, model, False, name='float')
    assert 0 < metrics['pascal_voc/mAP'] < 1
    evaluate(experiment, model, False, stop=5, name='float')
    again, seen = evaluate(experiment, model, True, name='float')
    assert again == metrics and len(seen) == 3
    with pytest.raises(DataError, match='kept without matches'):
        _ = read_predictions(experiment.runner.work_dir, 'float').matches
    # what cannot be kept is not looked for: nothing is judged again
    again, seen = evaluate(experiment, model, True, name='float')
    assert again == metrics and seen == []
