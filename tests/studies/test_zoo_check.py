"""What docs/zoo.md says of one detector."""

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.studies import zoo_check
from igq_mmdet.studies.zoo_members import zoo_root

YOLOX = 'yolox/yolox_tiny_8xb8-300e_coco.py'


def row(config):
    return zoo_check.check_member(zoo_root() / config)


def test_works():
    found = row(YOLOX)
    assert (found['result'], found['reason']) == ('works', '')
    assert found['layers']['Conv2d'] > 50


def test_refused():
    found = row('grid_rcnn/grid-rcnn_r50_fpn_gn-head_1x_coco.py')
    assert found['result'] == 'refused'
    assert found['reason'].startswith(
        'roi_head.grid_head.deconv1: a transposed convolution with groups=9 '
        'is not supported'
    )
    assert 'layers' not in found


def fails(*args, **kwargs):
    raise RuntimeError('at "/home/me/x/roi.cpp":1, see https://a.org/b/c')


SAID = 'RuntimeError: at "roi.cpp":1, see https://a.org/b/c'


def test_a_float_model_that_does_not_run(monkeypatch):
    monkeypatch.setattr(zoo_check, 'random_detector', fails)
    found = row(YOLOX)
    assert (found['result'], found['reason']) == ('not here', SAID)


def test_a_fault_of_ours(monkeypatch):
    monkeypatch.setattr(zoo_check, 'calibrate', fails)
    found = row(YOLOX)
    assert (found['result'], found['reason']) == ('fault', SAID)
