"""Every setting is evaluated once, and never again."""

import json

import pytest

from igq_mmdet import QuantSpec
from igq_mmdet.report.ablations.tables import lines
from igq_mmdet.studies.ablation import Ablation, Row, Table, tables

TABLES = {
    'one': Table('One', (Row('igq'), Row('layers', {'method': 'layerwise'}))),
    'two': Table('Two', (Row('again', {'groups': 8}),), seeds=1),
}


@pytest.fixture
def ablation(experiment, tmp_path):
    base = QuantSpec(groups=8, parts='neck,bbox_head')

    def make(**changes):
        options = dict(base=base, bits=[(8, 4)], seeds=2)
        return Ablation(experiment, str(tmp_path), **{**options, **changes})

    return make


def test_finished_settings_are_not_repeated(ablation, experiment, monkeypatch):
    evaluated = []
    evaluate = experiment.evaluate

    def count(model, label):
        evaluated.append(model)
        if len(evaluated) == 4:
            raise KeyboardInterrupt
        return evaluate(model, label)

    monkeypatch.setattr(experiment, 'evaluate', count)
    with pytest.raises(KeyboardInterrupt):
        ablation().run(TABLES)
    data = ablation().run(TABLES)
    # float and four settings, of which one was interrupted; the second
    # table's stands in the first as well
    assert len(evaluated) == 1 + 4 + 1
    assert ablation().run(TABLES) == data
    assert len(evaluated) == 6
    assert json.loads(json.dumps(data)) == data
    assert all('resampled' not in run for run in data['runs'].values())
    for off in data['tables']['one']['differences']:
        assert (off['of'], off['against']) == ('layers', 'igq')
        assert off['seeds'] == 2 and off['spread'] is not None
    assert len(data['tables']['one']['differences']) == 2  # box and mask
    igq, layers = lines(data, 'one')
    again = lines(data, 'two')[0]
    assert len(igq.box) == len(layers.box) == 2
    assert again.box == igq.box[:1]
    assert igq.box != layers.box and igq.bops > layers.bops


def test_other_weights_or_settings_share_no_results(ablation):
    before = ablation().results.path
    detector = ablation().experiment.detector
    weight = next(detector.parameters())
    kept = weight.detach().clone()
    weight.data.mul_(2)
    try:
        assert ablation().results.path != before
    finally:
        weight.data.copy_(kept)
    assert ablation().results.path == before
    keys = {
        job.key
        for bits in ((4, 4), (8, 4))
        for job in ablation(bits=[bits]).jobs(TABLES)
    }
    assert len(keys) == 8


def test_all_tables_can_be_made_into_settings(ablation):
    jobs = ablation(bits=[(4, 4), (8, 3)], seeds=5).jobs(tables())
    assert len({job.key for job in jobs}) == len(jobs)
    order = [job.draw for job in jobs]
    assert order == sorted(order)
    rows = [row for table in tables().values() for row in table.rows]
    assert len({row.label for row in tables()['methods'].rows}) == 8
    assert len(jobs) < 2 * 5 * len(rows)
