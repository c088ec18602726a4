"""Steps, refusals and the writing process of dashboards; no evaluation."""

import importlib.util
import multiprocessing

import pytest

pytest.importorskip('mmdet')
# what the tests read back with; .venv of the Makefile has all of them
pytest.importorskip('tensorboard', reason='tensorboard is not installed')
pytest.importorskip('mlflow', reason='mlflow is not installed')
pytest.importorskip('wandb', reason='wandb is not installed')

import torch.distributed
from mmengine.config import Config
from mmengine.hooks import LoggerHook
from mmengine.runner import IterBasedTrainLoop

from igq_mmdet import IGQError, QuantSpec
from igq_mmdet.errors import DataError, MissingDependencyError, SpecError
from igq_mmdet.report.dashboards.publish import evaluation_step
from igq_mmdet.report.dashboards.readers import read_dashboard
from igq_mmdet.report.dashboards.runs import Dashboards

from ...detection.conftest import FIELDS

BOX = 'coco/bbox_mAP'


def test_step_is_that_of_the_logger():
    class Runner:
        hooks = (LoggerHook(),)
        epoch, iter = 3, 700
        _train_loop = None

    runner = Runner()
    assert evaluation_step(runner) == 0
    runner._train_loop = dict(type='EpochBasedTrainLoop')
    assert evaluation_step(runner) == 0  # described, not built
    runner._train_loop = object()
    assert evaluation_step(runner) == 3
    runner.hooks = (LoggerHook(log_metric_by_epoch=False),)
    assert evaluation_step(runner) == 700
    runner.hooks = (LoggerHook(),)
    runner._train_loop = object.__new__(IterBasedTrainLoop)
    assert evaluation_step(runner) == 700


@pytest.mark.parametrize(
    'content, text',
    [
        (None, 'no such file'),
        ('{"float": null}', 'skip-float'),
        ('[1', 'no report'),
        ('{"float": {"metrics": 3}}', 'no report'),
    ],
)
def test_refuses_float_reports(content, text, tmp_path):
    from igq_mmdet.detection import IGQHook

    path = tmp_path / 'r.json'
    if content is not None:
        path.write_text(content)
    with pytest.raises(DataError, match=text) as info:
        IGQHook(spec=FIELDS, float_report=str(path))
    assert str(path) in str(info.value)
    with pytest.raises(SpecError, match='leave one out'):
        IGQHook(spec=FIELDS, float_report=str(path), evaluate_float=True)


@pytest.mark.parametrize(
    'name, text',
    [('tensorbord', "did you mean 'tensorboard'"), ('', 'choose from local')],
)
def test_refuses_unknown_dashboards(name, text, tmp_path):
    with pytest.raises(SpecError, match=text):
        Dashboards(Config({}), str(tmp_path), [name])


def test_missing_package_shows_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, 'find_spec', lambda name: None)
    config = Config(
        dict(visualizer=dict(vis_backends=dict(type='WandbVisBackend')))
    )
    with pytest.raises(MissingDependencyError, match='pip install wandb'):
        Dashboards(config, str(tmp_path))


RUN = {
    'name': 'igq:12 W4A4',
    'spec': QuantSpec().to_dict(),
    'metrics': {BOX: 0.5},
    'bytes': 7,
    'parts': {'backbone': {'bops': 3 * 10**9}},
    'calibration': {'seed': 0, 'image_ids': [1], 'num_images': 1},
    'eval_seconds': 1.0,
}


def test_one_line_when_a_dashboard_fails(tmp_path):
    (tmp_path / 'dashboards').write_text('a file where a folder goes')
    dashboards = Dashboards(Config({}), str(tmp_path), ['local'])
    with pytest.raises(IGQError, match='numbers are in igq_report') as info:
        dashboards.publish(RUN, None)
    assert '\n' not in str(info.value)


def test_backends_of_the_config(tmp_path):
    config = Config(
        dict(
            visualizer=dict(
                vis_backends=[
                    dict(type='LocalVisBackend'),
                    dict(type='TensorboardVisBackend'),
                ]
            )
        )
    )
    dashboards = Dashboards(config, str(tmp_path))
    # mmengine's Runner opens no run of its own beside ours
    assert config.visualizer.vis_backends == [dict(type='LocalVisBackend')]
    dashboards.publish(RUN, None)
    for kind in ('local', 'tensorboard'):
        (run,) = read_dashboard(kind, str(tmp_path))
        assert run.scalars['cost/gbops'] == {0: 3.0}
        assert not any(name.startswith('float/') for name in run.scalars)


def _publish(rank, folder):
    torch.distributed.init_process_group(
        'gloo', f'file://{folder}/store', rank=rank, world_size=2
    )
    Dashboards(Config({}), str(folder), ['local']).publish(RUN, None)
    torch.distributed.barrier()


def test_only_the_main_process_writes(tmp_path):
    context = multiprocessing.get_context('fork')
    ranks = [
        context.Process(target=_publish, args=(rank, tmp_path), daemon=True)
        for rank in range(2)
    ]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join(120)
        assert process.exitcode == 0
    (path,) = tmp_path.rglob('scalars.json')
    assert len(path.read_text().splitlines()) == 1
