"""Real dashboards, written by real runs, read by their own readers."""

import pytest

pytest.importorskip('mmdet')
# what the tests read back with; .venv of the Makefile has all of them
pytest.importorskip('tensorboard', reason='tensorboard is not installed')
pytest.importorskip('mlflow', reason='mlflow is not installed')
pytest.importorskip('wandb', reason='wandb is not installed')

import wandb
from mmengine.config import Config

from igq_mmdet import QuantSpec
from igq_mmdet.report.dashboards.readers import READERS, read_dashboard
from igq_mmdet.report.dashboards.scalars import flat, hyper_parameters, scalars
from igq_mmdet.report.dashboards.table import dashboard_table, everything

from ...detection.conftest import CONFIG, FIELDS, FLOAT
from ...detection.plugin.test_igq_hook import build, hook, report_of
from ...few import few

BOX = 'coco/bbox_mAP'
TWO = few(2)


@pytest.fixture(scope='module')
def settings(few_images, tmp_path_factory):
    """Two settings in one experiment, into all dashboards at once."""
    from igq_mmdet.studies.experiment import Experiment

    folder = tmp_path_factory.mktemp('settings')
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv('WANDB_MODE', raising=False)
        patch.delenv('MLFLOW_ALLOW_FILE_STORE', raising=False)
        experiment = Experiment(
            few_images(*TWO), str(folder), quiet=True, dashboards=[*READERS]
        )
        experiment.load_float(FLOAT)
        specs = [
            QuantSpec.from_dict(FIELDS | {'method': method})
            for method in ('igq', 'layerwise')
        ]
        images = experiment.images(1, 0, False)
        experiment.run_settings(specs, images, with_float=True)
        experiment.write()
    wandb.teardown()  # its service writes a moment longer
    return folder, experiment


@pytest.mark.slow
@pytest.mark.parametrize('kind', READERS)
def test_reads_back_what_was_measured(kind, settings):
    folder, experiment = settings
    report = report_of(folder)
    runs = read_dashboard(kind, str(folder / 'dashboards'))
    assert len(runs) == 2
    by_method = {}
    for run in runs:
        name = run.name.lower().replace('-', ' ').replace(':', ' ')
        assert 'w4a4' in name
        by_method['igq' if 'igq 12' in name else 'layerwise'] = run
    for entry in report['runs']:
        run = by_method[entry['spec']['method']]
        expected = scalars(entry, report['float'])
        assert expected[f'delta/{BOX}'] == pytest.approx(
            entry['metrics'][BOX] - report['float']['metrics'][BOX]
        )
        found = {name: steps[0] for name, steps in run.scalars.items()}
        found = {k: v for k, v in found.items() if k in expected}
        # event files hold float32
        assert found == pytest.approx(expected, rel=1e-6)
        if kind != 'local':  # which keeps its config as a file
            parameters = {k: str(v) for k, v in run.parameters.items()}
            for name, value in flat(hyper_parameters(entry)).items():
                read = parameters[name].removesuffix('.0')
                assert read == str(value), name
    first, second = (set(run.scalars) for run in runs)
    assert first == second  # or they would not overlay
    table = dashboard_table(runs).splitlines()
    box = 100 * report['float']['metrics'][BOX]
    assert len(table) == 2 + 2 * 2 and f'{box:.2f}' in table[2]
    assert f'float/{BOX} = ' in everything(runs)


@pytest.mark.slow
def test_where_runs_lie(settings):
    folder, experiment = settings
    stamp = experiment.dashboards.stamp
    for kind in ('tensorboard', 'local'):
        runs = {
            p.name for p in (folder / 'dashboards' / kind / stamp).iterdir()
        }
        assert runs == {'igq-12-w4a4', 'layerwise-w4a4'}
    (config,) = (folder / 'dashboards/local').rglob('igq*/config.py')
    assert Config.fromfile(config).spec.groups == 12
    lines = experiment.dashboards.lines()
    assert [line.split(' --')[0].split()[-1] for line in lines[:1]] == [
        'tensorboard'
    ]
    assert any('mlflow ui --backend-store-uri' in line for line in lines)
    assert any(line.startswith('wandb sync') for line in lines)
    # mmengine would copy every Python file below the current folder
    assert not list((folder / 'dashboards/wandb').rglob('test_*.py'))


@pytest.mark.slow
def test_every_layer_has_its_noise(settings):
    folder, experiment = settings
    for entry in report_of(folder)['runs']:
        sqnr = entry['sqnr']
        assert 'sqnr' not in entry['calibration']
        weights = [
            kinds['weights'] for kinds in sqnr.values() if 'weights' in kinds
        ]
        assert len(weights) > 20 and all(0 < value < 60 for value in weights)
    igq, layerwise = (entry['sqnr'] for entry in report_of(folder)['runs'])
    assert igq.keys() == layerwise.keys()
    # groups are there to have less noise at the inputs of linear layers
    gains = [
        igq[layer]['fc_input'] - layerwise[layer]['fc_input']
        for layer in igq
        if 'fc_input' in igq[layer]
    ]
    assert sum(gains) / len(gains) > 1


@pytest.fixture
def with_backends(few_images):
    """The demo's config with a visualizer of several backends."""

    def make(folder, *options, filename=CONFIG):
        config = few_images(*TWO, *options, filename=filename)
        config.visualizer = dict(
            type='DetLocalVisualizer',
            name=str(folder),  # mmengine hands out one a name
            vis_backends=[
                dict(type='LocalVisBackend'),
                dict(type='TensorboardVisBackend'),
            ],
        )
        return config

    return make


@pytest.mark.slow
def test_hook_in_a_stock_test(with_backends, tmp_path):
    runner = build(
        with_backends(tmp_path),
        tmp_path,
        hook(spec=FIELDS, evaluate_float=True),
    )
    runner.test()
    report = report_of(tmp_path)
    (entry,) = report['runs']
    assert report['float']['metrics'][BOX] != entry['metrics'][BOX]
    expected = scalars(entry, report['float'])
    for kind in ('local', 'tensorboard'):
        (run,) = read_dashboard(kind, str(tmp_path))
        found = {name: steps[0] for name, steps in run.scalars.items()}
        assert {k: found[k] for k in expected} == pytest.approx(expected)
    assert run.parameters['spec.groups'] == 12
    assert 'null' not in next(tmp_path.rglob('scalars.json')).read_text()
    # the float AP of that report beside another setting
    again = hook(
        spec=FIELDS, float_report=str(tmp_path / 'igq_report.json'), sqnr=False
    )
    other = tmp_path / 'other'
    runner = build(with_backends(other), other, again)
    runner.val()
    assert report_of(other)['float'] == report['float']
    assert report_of(other)['runs'][0]['sqnr'] is None
    (run,) = read_dashboard('local', str(other))
    assert run.scalars[f'delta/{BOX}'][0] == pytest.approx(
        expected[f'delta/{BOX}']
    )


@pytest.mark.slow
def test_steps_during_training(with_backends, tmp_path):
    config = with_backends(
        tmp_path,
        'train_dataloader.batch_size=2',
        'train_cfg.max_iters=4',
        'train_cfg.val_interval=2',
        'model.test_cfg.rcnn.score_thr=0.5',
        filename=CONFIG.replace('demo.py', 'demo_stage1.py'),
    )
    config.default_hooks.pop('checkpoint')
    runner = build(config, tmp_path, hook(spec=FIELDS, evaluate_float=True))
    runner.train()
    (run,) = read_dashboard('tensorboard', str(tmp_path))
    for name in (f'float/{BOX}', f'quantized/{BOX}', 'cost/bytes'):
        assert sorted(run.scalars[name]) == [2, 4]
