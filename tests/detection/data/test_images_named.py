"""An image that cannot be used is named, in every process that reads it."""

import json
import os
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmdet')

from igq_mmdet.detection.data.images_named import naming, pipeline_text
from igq_mmdet.errors import DataError, SpecError
from igq_mmdet.studies.experiment import Experiment

from ...few import annotations, judged_by

ID, NAME = 30, '000000000030.jpg'


@pytest.fixture
def demo(few_images, tmp_path):
    """The config on a copy that may be changed; an experiment of it."""
    shutil.copytree('demo/images', tmp_path / 'images')
    listed = shutil.copy(annotations(2), tmp_path / 'instances_eval.json')

    def make(*options, change=None):
        config = few_images(*judged_by(listed), *options)
        config.test_dataloader.dataset.data_root = str(tmp_path)
        if change is not None:
            change(config)
        return Experiment(config, str(tmp_path / 'work'), quiet=True)

    return make


def test_how_wrapped_datasets_read_images():
    """Two that are joined say it of each, and say no address."""
    one, other = (
        SimpleNamespace(pipeline=steps) for steps in ([object()], ['resize'])
    )
    said = pipeline_text(SimpleNamespace(datasets=[one, other]))
    assert said == "[<object object>]\n['resize']"
    assert pipeline_text(SimpleNamespace(dataset=other)) == "['resize']"


def annotate(folder, **fields):
    path = folder / 'instances_eval.json'
    data = json.loads(path.read_text())
    (image,) = [one for one in data['images'] if one['id'] == ID]
    image |= fields
    path.write_text(json.dumps(data))


def refused(experiment):
    with pytest.raises(DataError) as found:
        experiment.evaluate(experiment.detector, '')
    text = str(found.value)
    assert '\n' not in text
    return text


@pytest.mark.parametrize('workers', [0, 1])
def test_reasons(workers, demo, tmp_path):
    experiment = demo(f'test_dataloader.num_workers={workers}')
    path = tmp_path / 'images' / NAME
    path.write_bytes(path.read_bytes()[:-100])
    text = f'{path}: evaluation image cannot be read'
    assert refused(experiment) == f'{text} (its end is missing); replace it'
    path.unlink()
    reason = 'No such file or directory'
    assert refused(experiment) == f'{text} ({reason}); replace it'


def test_an_image_that_the_pipeline_cannot_scale(demo, tmp_path):
    path = tmp_path / 'images' / NAME
    Image.fromarray(np.zeros((1, 2000, 3), np.uint8)).save(path)
    annotate(tmp_path, height=1, width=2000)
    text = refused(demo())
    assert text.startswith(f'{path}: evaluation image cannot be read (')


@pytest.mark.parametrize('workers', [0, 1])
def test_another_size_than_annotated(workers, demo, tmp_path):
    annotate(tmp_path, width=401)
    text = refused(demo(f'test_dataloader.num_workers={workers}'))
    assert text == (
        f'{tmp_path / "images" / NAME}: evaluation image is 400 x 268, '
        'annotated as 401 x 268; replace it or fix the annotations'
    )


def test_turned_by_exif(demo, tmp_path):
    path = tmp_path / 'images' / NAME
    exif = Image.Exif()
    exif[0x112] = 6
    Image.open(path).save(path, exif=exif)
    assert "color_type='color_ignore_orientation'" in refused(demo())
    experiment = demo(
        'test_dataloader.dataset.pipeline.0.color_type='
        'color_ignore_orientation'
    )
    experiment.evaluate(experiment.detector, '')


def test_metrics_of_others_take_any_size(demo, tmp_path):
    """VOC's own files give some sizes wrongly, and VOC does not use them."""
    annotate(tmp_path, width=401)

    def dump(config):
        out = str(tmp_path / 'dumped.pkl')
        config.test_evaluator = dict(type='DumpDetResults', out_file_path=out)

    experiment = demo(change=dump)
    experiment.evaluate(experiment.detector, '')
    assert (tmp_path / 'dumped.pkl').is_file()


def test_wrapped_datasets(demo, tmp_path):
    def wrap(config):
        inner = config.test_dataloader.dataset
        config.test_dataloader.dataset = dict(
            type='ConcatDataset', datasets=[inner]
        )

    experiment = demo(change=wrap)
    (tmp_path / 'images' / NAME).write_text('no picture')
    assert NAME in refused(experiment)


def test_a_pipe_is_not_waited_for(tmp_path):
    path = tmp_path / 'a.jpg'
    os.mkfifo(path)
    with pytest.raises(DataError, match='a.jpg: calibration .* .no file.'):
        with naming(str(path), 'calibration'):
            path.read_bytes()


def test_what_names_its_cause_already_is_left_alone():
    error = SpecError('groups')
    with pytest.raises(SpecError) as found, naming('a.jpg', 'evaluation'):
        raise error
    assert found.value is error
