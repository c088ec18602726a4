"""What a report is about."""

import json

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.detection.evaluation.evaluation_set import evaluation_set
from igq_mmdet.detection.evaluation.subject import subject

from ...few import few


@pytest.fixture(scope='module')
def found(few_images):
    def make(*options):
        config = few_images(*options)
        return subject(config, evaluation_set(config))

    return make


def test_names_detector_and_images(found, experiment):
    about = found()
    assert about['config'] == 'mask-rcnn_swin-mini_demo'
    assert about['images'] == 8
    assert about['classes'][:2] == ['person', 'bicycle']
    assert len(about['classes']) == 80
    assert json.loads(json.dumps(about)) == about
    assert experiment.report.data['detector'] == about


@pytest.mark.parametrize(
    'option, field',
    [
        (['model.neck.num_outs=6'], 'model'),
        (few(7), 'data'),
        (['test_dataloader.dataset.pipeline.1.scale=(128,128)'], 'data'),
    ],
)
def test_what_differs_shows(found, option, field):
    one, other = found(), found(*option)
    assert one[field] != other[field]
    kept = {'model', 'data'} - {field}
    assert [one[name] for name in kept] == [other[name] for name in kept]


def test_the_folder_does_not_count(found, tmp_path):
    from ...conftest import ROOT

    (tmp_path / 'demo').symlink_to(ROOT / 'demo')
    moved = found(f'test_dataloader.dataset.data_root={tmp_path}/demo/')
    assert moved == found()
