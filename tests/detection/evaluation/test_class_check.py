"""A detector is not judged on a set of other classes."""

from types import SimpleNamespace

import pytest

pytest.importorskip('mmdet')

from igq_mmdet.detection.evaluation.class_check import check_classes
from igq_mmdet.errors import DataError


def dataset(*classes):
    return SimpleNamespace(metainfo={'classes': classes})


def test_the_demo(demo_model):
    check_classes(demo_model, dataset(*map(str, range(80))))
    check_classes(demo_model, SimpleNamespace(metainfo={}))
    check_classes(demo_model, [])


@pytest.mark.parametrize('number', [1, 79, 81])
def test_other_classes(demo_model, number):
    names = [f'class {place}' for place in range(number)]
    with pytest.raises(DataError) as info:
        check_classes(demo_model, dataset(*names))
    text = str(info.value)
    assert text.startswith('roi_head.bbox_head has 80 classes')
    assert f'evaluation set {number} (class 0' in text
    assert ('...' in text) == (number > 3) and '\n' not in text
