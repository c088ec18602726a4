"""The command line that detects on images with a quantized file."""

import contextlib
import importlib.util
import io
import json
import shutil
from types import SimpleNamespace

import pytest

pytest.importorskip('mmdet')

import cv2
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from ..conftest import ROOT
from ..detection.conftest import CONFIG, FIELDS, FLOAT, few_images  # noqa: F401
from ..docs.pages import python_blocks
from ..few import few

ANNOTATIONS = ROOT / 'demo/instances_eval.json'


@pytest.fixture(scope='module')
def saved(few_images, tmp_path_factory):  # noqa: F811
    """A quantized file, what an evaluation makes of it, and its images."""
    from igq_mmdet import QuantSpec
    from igq_mmdet.checkpoints import save
    from igq_mmdet.detection.calibration.ptq import (
        DetectorCalibration,
        checkpoint_info,
    )
    from igq_mmdet.studies.experiment import Experiment

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        folder = tmp_path_factory.mktemp('saved')
        config = few_images(*few(3))
        text = config.pretty_text
        experiment = Experiment(config, str(folder / 'work'), quiet=True)
        experiment.load_float(str(ROOT / FLOAT))
        spec = QuantSpec.from_dict(FIELDS)
        images = experiment.images(1, 0, False)
        calibration = DetectorCalibration(experiment.detector, images, [spec])
        model, record = calibration.apply(spec)
        save(model, folder / 'q.safetensors', checkpoint_info(record, text))
        metrics, _ = experiment.evaluate(model, '')
    listed = json.loads(ANNOTATIONS.read_text())['images'][:3]
    names = [image['file_name'] for image in listed]
    return SimpleNamespace(
        path=str(folder / 'q.safetensors'), metrics=metrics, names=names
    )


@pytest.fixture
def pictures(saved, tmp_path):
    """A folder with the images that were evaluated."""
    folder = tmp_path / 'pictures'
    folder.mkdir()
    for name in saved.names:
        shutil.copy(ROOT / 'demo/images' / name, folder)
    return folder


@pytest.fixture
def infer(tmp_path, monkeypatch, capfd):
    """Runs it; gives status, streams and the folder it wrote to."""
    monkeypatch.chdir(ROOT)
    path = ROOT / 'tools/infer.py'
    spec = importlib.util.spec_from_file_location('infer', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    out = tmp_path / 'out'

    def run(*args):
        argv = [*map(str, args), '--out', str(out), '--device', 'cpu']
        if 'integer' in args:
            argv = argv[:-2]
        status = module.main(argv)
        said, err = capfd.readouterr()
        return SimpleNamespace(status=status, out=said, err=err, folder=out)

    return run


def average_precision(results, kind, names):
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(ANNOTATIONS))
        judged = COCOeval(truth, truth.loadRes(str(results)), kind)
        files = {x['file_name']: x['id'] for x in truth.dataset['images']}
        judged.params.imgIds = [files[name] for name in names]
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return judged.stats[0]


def files_of(folder):
    found = (p for p in folder.rglob('*') if p.is_file())
    return sorted(str(p.relative_to(folder)) for p in found)


@pytest.mark.slow
@pytest.mark.parametrize('runtime', ['simulated', 'integer'])
def test_results_have_the_ap_of_the_evaluation(
    runtime, saved, pictures, infer
):
    extra = ['--annotations', ANNOTATIONS, '--runtime', runtime]
    done = infer(saved.path, pictures, *extra)
    assert done.status == 0, done.err
    assert files_of(done.folder) == [
        'images.json',
        'quantized.bbox.json',
        'quantized.segm.json',
        *(f'vis/{name}' for name in sorted(saved.names)),
    ]
    for kind in ('bbox', 'segm'):
        path = done.folder / f'quantized.{kind}.json'
        found = average_precision(path, kind, saved.names)
        assert found == pytest.approx(saved.metrics[f'coco/{kind}_mAP'])


@pytest.mark.slow
def test_float_beside(saved, pictures, infer):
    done = infer(saved.path, pictures, '--float', CONFIG, FLOAT)
    assert done.status == 0, done.err
    names = {p.name for p in done.folder.glob('*.json')}
    assert names == {'images.json'} | {
        f'{which}.{kind}.json'
        for which in ('float', 'quantized')
        for kind in ('bbox', 'segm')
    }
    for name in saved.names:
        drawn = cv2.imread(str(done.folder / 'vis' / name))
        height, width = cv2.imread(str(pictures / name)).shape[:2]
        assert drawn.shape == (height + 24, 2 * width + 8, 3)
        assert (drawn[:, width : width + 8] > 200).all()
    boxes = json.loads((done.folder / 'quantized.bbox.json').read_text())
    listed = json.loads((done.folder / 'images.json').read_text())
    assert {x['file_name'] for x in listed['images']} == set(saved.names)
    # COCO's own numbers, which the names and classes are
    real = json.loads(ANNOTATIONS.read_text())
    numbers = {x['file_name']: x['id'] for x in real['images']}
    assert {x['file_name']: x['id'] for x in listed['images']} == {
        name: numbers[name] for name in saved.names
    }
    assert [(x['id'], x['name']) for x in listed['categories']] == [
        (x['id'], x['name']) for x in real['categories']
    ]
    assert {x['image_id'] for x in boxes} <= {numbers[n] for n in saved.names}


@pytest.mark.slow
def test_unreadable_images_are_named_last(saved, pictures, infer):
    (pictures / 'bad.jpg').write_bytes(b'no image')
    cut = (pictures / saved.names[0]).read_bytes()
    (pictures / 'cut.jpg').write_bytes(cut[: len(cut) // 2])
    done = infer(saved.path, pictures, '--quiet')
    assert done.status == 1
    lines = done.err.strip().splitlines()[-3:]
    assert 'bad.jpg: input image cannot be read (does not decode)' in lines[0]
    assert 'cut.jpg: input image cannot be read' in lines[1]
    assert lines[2].startswith('error: 2 of 5 images cannot be read, first ')
    assert len(list((done.folder / 'vis').iterdir())) == 3
    listed = json.loads((done.folder / 'images.json').read_text())
    assert len(listed['images']) == 3
    # names that are no numbers: counted from 1, in the order of the list
    assert {x['id'] for x in listed['images']} < {1, 2, 3, 4, 5}


@pytest.mark.slow
def test_goes_on_where_it_was_stopped(saved, pictures, infer, monkeypatch):
    from igq_mmdet.detection.inference.predictor import Predictor

    seen, predict = [], Predictor.predict

    def stops(self, data):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(data)
        return predict(self, data)

    with monkeypatch.context() as patch:
        patch.setattr(Predictor, 'predict', stops)
        with pytest.raises(KeyboardInterrupt):
            infer(saved.path, pictures)
    out = pictures.parent / 'out'
    (journal,) = out.glob('unfinished-*.jsonl')
    assert journal.read_bytes().count(b'\n') == 2
    assert not list(out.glob('*.json')) and len(files_of(out / 'vis')) == 2

    def counts(self, data):
        seen.append(data)
        return predict(self, data)

    monkeypatch.setattr(Predictor, 'predict', counts)
    assert infer(saved.path, pictures).status == 0
    assert len(seen) == 3 and not journal.exists()
    resumed = (out / 'quantized.segm.json').read_bytes()
    assert infer(saved.path, pictures).status == 0
    assert (out / 'quantized.segm.json').read_bytes() == resumed


@pytest.mark.slow
@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (['gone.jpg'], 'gone.jpg: no such image or folder'),
        (['configs'], 'configs: no images in this folder'),
        (['demo/images', '--score-thr', '2'], '--score-thr: 2.0 is not from'),
        (['demo/images', '--threads', '0'], 'threads must be at least 1'),
        (
            ['demo/images', '--annotations', 'demo/instances_calib.json'],
            'instances_calib.json: does not list',
        ),
    ],
)
def test_one_line_and_nothing_written(args, message, saved, infer):
    done = infer(saved.path, *args)
    assert done.status == 1 and message in done.err
    assert done.err.startswith('error: ') and done.err.count('\n') == 1
    assert not done.folder.exists()


def test_images_are_not_replaced(tmp_path):
    from igq_mmdet.detection.inference.input_images import find_images
    from igq_mmdet.errors import DataError

    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'x.jpg').touch()
    with pytest.raises(DataError, match='have the same name'):
        find_images([str(tmp_path / 'a'), str(tmp_path / 'b')])
    found = find_images([str(tmp_path / 'a'), str(tmp_path / 'a/x.jpg')])
    assert found == [tmp_path / 'a/x.jpg']


@pytest.mark.slow
def test_python_block_of_the_page(saved, tmp_path, monkeypatch):
    (block,) = python_blocks('docs/inference.md')
    shutil.copy(saved.path, tmp_path / 'q.safetensors')
    (tmp_path / 'demo').symlink_to(ROOT / 'demo')
    monkeypatch.chdir(tmp_path)
    space = {}
    exec(block, space)
    assert space['found'].pred_instances.scores.max() > 0.3
