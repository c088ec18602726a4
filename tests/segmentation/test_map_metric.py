"""The metric of maps against the package and against slow references."""

import math
import warnings

import numpy as np
import pytest
import torch

pytest.importorskip('mmengine')
pytest.importorskip('py_sod_metrics')

import py_sod_metrics as sod
from mmengine.evaluator import BaseMetric

from igq_mmdet.errors import DataError
from igq_mmdet.segmentation import MapMetric
from igq_mmdet.segmentation.judge import area_under_curve, judge
from igq_mmdet.segmentation.maps import at_size, map_codes

from . import references


def drawn(seed, height=13, width=17):
    """A map that says something of its mask."""
    draw = np.random.default_rng(seed)
    mask = np.zeros((height, width), dtype=bool)
    top, left = draw.integers(0, height - 4), draw.integers(0, width - 5)
    mask[top : top + 4, left : left + 5] = True
    values = 0.4 * mask + 0.6 * draw.random((height, width))
    return (values - values.min()) / (values.max() - values.min()), mask


def edge(seed):
    """An object whose centre is at the last row and column."""
    values, mask = drawn(seed)
    mask[:] = False
    mask[-1, -1] = True
    return values, mask


CASES = [*(drawn(seed) for seed in range(4)), edge(4), drawn(5, 7, 40)]


@pytest.mark.parametrize('case', range(len(CASES)))
def test_against_references(case):
    values, mask = CASES[case]
    found = judge(values, mask)
    for key, reference in (
        ('Smeasure', references.structure),
        ('MAE', references.mae),
        ('adpFmeasure', references.adaptive_f),
        ('adpEmeasure', references.adaptive_e),
    ):
        expected = reference(values, mask)
        assert found[key] == pytest.approx(expected, abs=1e-9), key
    # values in one of 65536 bins are equal to it
    assert found['AUC'] == pytest.approx(
        references.auc(values, mask), abs=1e-4
    )


@pytest.mark.parametrize('full', [False, True])
def test_empty_and_full_masks(full):
    values, mask = drawn(0)
    mask[:] = full
    found = judge(values, mask)
    assert found['Smeasure'] == pytest.approx(
        references.structure(values, mask)
    )
    assert found['MAE'] == pytest.approx(references.mae(values, mask))
    assert found['adpEmeasure'] == pytest.approx(
        references.adaptive_e(values, mask)
    )
    assert math.isnan(found['AUC'])
    assert not any(
        np.isnan(value).any() for key, value in found.items() if key != 'AUC'
    )


def test_ties_count_half():
    values, mask = drawn(1)
    values = np.round(values * 4) / 4
    expected = references.auc(values, mask)
    assert area_under_curve(values, mask) == pytest.approx(expected, abs=1e-12)


def sample(seed, name='CAMO', size=(26, 34)):
    """As a model predicts it, at another size than the mask's."""
    torch.manual_seed(seed)
    mask = torch.zeros(size, dtype=torch.bool)
    mask[5:15, 8:20] = True
    return {
        'img_id': f'{name}/{seed}',
        'set_name': name,
        'gt_mask': mask,
        'pred_map': map_codes(torch.rand(9, 11) + torch.eye(9, 11)),
    }


def test_sets_as_the_package_has_them():
    """On the very maps, given to the package as the field does it."""
    metric = MapMetric()
    metric.keep_matches = True
    samples = [sample(seed) for seed in range(3)]
    samples += [sample(seed, 'CHAMELEON') for seed in (7, 8)]
    metric.process(None, samples[:2])
    metric.process(None, samples[2:])
    metrics = metric.evaluate(5)
    for name, own in (('CAMO', samples[:3]), ('CHAMELEON', samples[3:])):
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')
            f = sod.Fmeasure()
        s, e, w, m = (
            sod.Smeasure(),
            sod.Emeasure(),
            sod.WeightedFmeasure(),
            sod.MAE(),
        )
        for one in own:
            values = at_size(one['pred_map'], one['gt_mask'].shape).numpy()
            for judging in (s, f, e, w, m):
                judging.step(values, one['gt_mask'].numpy(), normalize=False)
        fm, em = f.get_results()['fm'], e.get_results()['em']
        expected = {
            'Smeasure': s.get_results()['sm'],
            'MAE': m.get_results()['mae'],
            'wFmeasure': w.get_results()['wfm'],
            'adpFmeasure': fm['adp'],
            'meanFmeasure': fm['curve'].mean(),
            'maxFmeasure': fm['curve'].max(),
            'adpEmeasure': em['adp'],
            'meanEmeasure': em['curve'].mean(),
            'maxEmeasure': em['curve'].max(),
        }
        for key, value in expected.items():
            found = metrics[f'{name}/{key}']
            assert found == pytest.approx(value, abs=1e-12), key
        values = metric.matches[f'{name}/Smeasure']
        whole = values.statistic(np.ones((1, len(own))))
        assert whole == pytest.approx(metrics[f'{name}/Smeasure'])
    assert set(metric.matches) == {
        f'{name}/{key}'
        for name in ('CAMO', 'CHAMELEON')
        for key in ('Smeasure', 'MAE')
    }


def test_an_undefined_figure_of_one_image_does_not_count():
    metric = MapMetric()
    empty = sample(1)
    empty['gt_mask'] = torch.zeros_like(empty['gt_mask'])
    metric.process(None, [sample(0), empty])
    both = metric.evaluate(2)
    metric.process(None, [sample(0)])
    assert both['CAMO/AUC'] == metric.evaluate(1)['CAMO/AUC']
    metric.process(None, [empty])
    assert math.isnan(metric.evaluate(1)['CAMO/AUC'])


def test_scale_of_a_map_does_not_matter():
    values = torch.rand(9, 11)
    size = (26, 34)
    one, two = (
        at_size(map_codes(x), size) for x in (values, 0.01 * values + 0.3)
    )
    assert (one - two).abs().max() < 1e-3
    assert one.min() == 0 and one.max() == 1
    # a map that says nothing stays what it is
    level = at_size(map_codes(torch.full((9, 11), 0.25)), size)
    assert (level - 0.25).abs().max() < 1e-4


def test_nothing_is_said_of_a_prefix(monkeypatch):
    """mmengine's loggers hand nothing on, so caplog would see none of it."""
    said = []
    monkeypatch.setattr(
        'mmengine.evaluator.metric.print_log',
        lambda message, **options: said.append(message),
    )
    BaseMetric.__init__(MapMetric.__new__(MapMetric))
    assert len(said) == 1
    assert MapMetric().prefix is None and len(said) == 1


@pytest.mark.parametrize('field', ['gt_mask', 'pred_map'])
def test_what_is_missing_is_named(field):
    broken = sample(0)
    del broken[field]
    with pytest.raises(DataError, match=rf"'CAMO/0'.* needs its {field}"):
        MapMetric().process(None, [broken])
