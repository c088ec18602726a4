"""The command line on eight images of the demo."""

import json
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest

pytest.importorskip('mmdet')

from safetensors import safe_open

import igq_mmdet as igq

from ..conftest import ROOT
from ..few import few
from ..jobs.real_processes import environment
from .conftest import FEW

TWO = few(2)
BOX, MASK = 'coco/bbox_mAP', 'coco/segm_mAP'


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    """What a shell sees of a run with --save."""
    folder = tmp_path_factory.mktemp('saved')
    path = folder / 'q.safetensors'
    done = subprocess.run(
        [sys.executable, 'tools/ptq_coco.py', '--save', path]
        + ['--work-dir', folder / 'work', '--cfg-options', *FEW],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    report = json.loads((folder / 'work/igq_report.json').read_text())
    return SimpleNamespace(
        path=path, report=report, out=done.stdout, err=done.stderr
    )


def without_times(run):
    run = {k: v for k, v in run.items() if k != 'eval_seconds'}
    calibration = dict(run['calibration'])
    del calibration['seconds']
    return run | {'calibration': calibration}


@pytest.mark.slow
def test_output(saved):
    lines = saved.out.splitlines()
    assert lines[0] == 'calibration images [229997], seed 0'
    assert lines[1].split()[:2] == ['setting', 'W/A']
    assert set(lines[2]) == {'-'}
    assert lines[3].startswith('float') and lines[4].startswith('igq')
    assert '95 % interval over' in lines[5] and set(lines[7]) == {'-'}
    assert lines[8].startswith('igq:12 W4A4') and 'float' in lines[8]
    ratio = re.fullmatch(r'.*: (\d+) bytes, 1/([\d.]+) of float32', lines[9])
    assert int(ratio[1]) == saved.path.stat().st_size
    assert float(ratio[2]) >= 6
    assert lines[10].startswith('report: ') and len(lines) == 11
    # progress goes to stderr, with time left
    assert 'image' in saved.err and 'calibration' in saved.err
    assert 'annotations' not in saved.out + saved.err


def test_report(saved):
    report = saved.report
    assert report['schema'] == 'igq_mmdet.report/1'
    fields = {'schema', 'detector', 'float', 'runs', 'environment'}
    assert set(report) == fields | {'differences'}
    (row,) = report['differences']['settings']
    assert row['against'] == 'float' and set(row['metrics']) == {BOX, MASK}
    off = row['metrics'][BOX]['difference']
    full = report['float']['metrics'][BOX]
    assert off == pytest.approx(report['runs'][0]['metrics'][BOX] - full)
    assert report['float']['metrics'][BOX] > 0
    (run,) = report['runs']
    assert run['name'] == 'igq:12 W4A4'
    spec = igq.QuantSpec.from_dict(run['spec'])
    assert spec == igq.QuantSpec(w_bits=4, a_bits=4, groups=12)
    for name in (BOX, MASK):
        value = run['metrics'][name]
        assert 0 < value < 1 and value != round(value, 3)
    parts = run['parts']
    assert list(parts) == sorted(
        ['backbone', 'neck', 'rpn', 'bbox_head', 'mask_head']
    )
    for part in parts.values():
        assert part['layers'] > 0 and part['w_bits'] == [4]
        assert part['macs'] > 0 and part['bops'] > part['macs']
        assert part['bytes'] < part['float_bytes'] / 6
    assert parts['backbone']['a_bits'] == [4, 8]
    assert parts['bbox_head']['groups'] == [12]
    calibration = run['calibration']
    assert calibration['image_ids'] == [229997]
    assert calibration['seed'] == 0 and calibration['seconds'] > 0
    assert calibration['evaluation_images'] == []
    assert run['eval_seconds'] > 0
    assert all(run['sqnr'].values())
    environment = report['environment']
    assert environment['versions']['igq_mmdet'] == igq.__version__
    assert environment['versions']['mmdet'] and environment['threads'] >= 1


def test_load_gives_the_same_ap(saved, ptq):
    done = ptq('--load', saved.path, '--quiet')
    assert done.status == 0 and done.err == ''
    assert done.report['float']['metrics'] == saved.report['float']['metrics']
    # also the time of calibration: it is read from the file
    run, before = done.report['runs'][0], saved.report['runs'][0]
    assert run.pop('eval_seconds') > 0
    assert run == {k: v for k, v in before.items() if k != 'eval_seconds'}


def test_load_needs_no_float_weights(saved, ptq):
    config = 'configs/demo/mask-rcnn_swin-mini_demo.py'
    done = ptq(config, '--load', saved.path, '--quiet')
    assert done.report['float'] is None
    metrics = saved.report['runs'][0]['metrics']
    assert done.report['runs'][0]['metrics'] == metrics


@pytest.mark.slow
def test_hook_and_wrapper_give_the_same_ap(saved, tmp_path, monkeypatch):
    from mmengine.runner import Runner

    from igq_mmdet.detection.models.config import load_config
    from igq_mmdet.report.metrics import defined

    monkeypatch.chdir(ROOT)
    preset = 'configs/demo/mask-rcnn_swin-mini_demo_w4a4_g12.py'
    metrics = []
    for kind in ('hook', 'wrapper'):
        config = load_config(preset, FEW)
        config.work_dir = str(tmp_path / kind)
        config.log_level = 'ERROR'
        config.load_from = 'demo/swin_mini_mask_rcnn.safetensors'
        if kind == 'wrapper':
            (hook,) = config.pop('custom_hooks')
            config.test_evaluator.type = 'igq_mmdet.PreciseCocoMetric'
            config.model = dict(
                type='igq_mmdet.IGQDetector',
                detector=config.model,
                spec=hook.spec,
                calib=dict(dataset=config.calib_dataset),
            )
        metrics.append(Runner.from_cfg(config).test())
    assert metrics[0] == metrics[1]
    numbers, undefined = defined(metrics[0])
    run = saved.report['runs'][0]
    assert numbers == run['metrics'] and undefined == run['undefined']


def test_same_seed_same_numbers(saved, ptq):
    done = ptq('--groups', '12', '--seed', '0', '--skip-float', '--quiet')
    assert done.report['float'] is None
    run, before = done.report['runs'][0], saved.report['runs'][0]
    assert without_times(run) == without_times(before)


def test_compare(ptq):
    names = 'layerwise,igq:8,upper_bound'
    done = ptq('--compare', names, '--skip-float', options=TWO)
    assert done.status == 0
    runs = done.report['runs']
    names = ['layerwise W4A4', 'igq:8 W4A4', 'upper_bound W4A4']
    assert [run['name'] for run in runs] == names
    assert {tuple(r['calibration']['image_ids']) for r in runs} == {(229997,)}
    assert len({run['metrics'][BOX] for run in runs}) == 3


def test_parts_and_patterns(ptq):
    done = ptq(
        *('--parts', 'neck,rpn', '--exclude', 'rpn_head.rpn_cls'),
        *('--w-bits', 8, '--a-bits', 6, '--method', 'layerwise', '--quiet'),
        '--no-predictions',
        options=TWO,
    )
    (run,) = done.report['runs']
    assert set(run['parts']) == {'neck', 'rpn'}
    assert run['parts']['rpn']['layers'] == 2
    assert run['parts']['neck']['w_bits'] == [8]
    assert run['parts']['neck']['a_bits'] == [6]
    # only the table, and in it what was asked for
    lines = done.out.splitlines()
    assert len(lines) == 5 and lines[0].startswith('setting')
    assert lines[4].startswith('no interval: predictions were not kept')
    assert lines[3].split()[:4] == ['layerwise', '8/6', '-', 'neck,rpn']


def test_nothing_detected_is_ap_0(ptq):
    none = 'model.test_cfg.rcnn.score_thr=1.1'
    done = ptq('--groups', 4, '--quiet', options=[*TWO, none])
    assert done.status == 0
    (run,) = done.report['runs']
    assert run['metrics'][BOX] == run['metrics'][MASK] == 0
    lines = done.out.splitlines()
    assert len(lines) == 8 and lines[7].endswith('[+0.00, +0.00] cannot tell')


def test_saved_before_evaluation(tool, ptq, tmp_path, monkeypatch):
    from igq_mmdet.studies.experiment import Experiment

    def crash(*args, **kw):
        raise RuntimeError('power cut')

    monkeypatch.setattr(Experiment, 'evaluate', crash)
    path = tmp_path / 'q.safetensors'
    with pytest.raises(RuntimeError, match='power cut'):
        ptq('--save', path)
    assert not (tmp_path / 'work/igq_report.json').exists()
    monkeypatch.undo()
    assert ptq('--load', path, '--skip-float', '--quiet').status == 0


def test_calibrating_on_evaluation_images(ptq):
    options = ['calib_dataset.ann_file=instances_eval.json']
    options += ['calib_dataset.indices=2']
    done = ptq('--groups', 12, options=[*options, *TWO])
    assert done.status == 1 and '--calib-on-eval' in done.err
    done = ptq(
        *('--groups', 12, '--skip-float', '--calib-on-eval'),
        options=[*options, *TWO],
    )
    calibration = done.report['runs'][0]['calibration']
    assert calibration['evaluation_images'] == calibration['image_ids']


def test_metadata(saved):
    with safe_open(saved.path, 'pt') as file:
        info = json.loads(file.metadata()['info'])
    assert info['calibration']['image_ids'] == [229997]
    assert "type='SwinTransformer'" in info['model_config']
    assert info['versions']['igq_mmdet'] == igq.__version__


@pytest.mark.slow
def test_rounding_by_what_layers_see(ptq, tmp_path):
    """The file has codes like any other, and runs on integers."""
    path = tmp_path / 'q.safetensors'
    layers = ('--include', 'backbone.stages.0*', 'neck.fpn*', '*.upsample')
    done = ptq(
        *('--weights', 'ridge+gptq', '--calib-images', 2, '--save', path),
        *('--runtime', 'integer', *layers),
        options=TWO,
    )
    assert done.status == 0, done.err
    (run,) = done.report['runs']
    assert run['name'] == 'igq:12+ridge+gptq W4A4'
    assert done.out.splitlines()[4].startswith('igq+ridge+gptq')
    assert 'rounding weights: 100%' in done.err
    assert not run['not_integer']
    again = ptq('--load', path, '--skip-float', options=TWO)
    (loaded,) = again.report['runs']
    assert loaded['spec'] == run['spec']
    assert loaded['metrics'] == pytest.approx(run['metrics'], abs=2e-3)


@pytest.mark.parametrize(
    'args, names',
    [
        (
            [],
            [
                f'{name} {bits}'
                for bits in ('W4A4', 'W6A6', 'W8A3')
                for name in ('layerwise', 'igq:8', 'igq:12', 'upper_bound')
            ],
        ),
        (['--groups', '8'], ['igq:8 W4A4']),
        (['--method', 'layerwise'], ['layerwise W4A4']),
        (['--save', 'x', '--w-bits', '6'], ['igq:12 W6A4']),
        (['--compare', 'igq:3', '--a-bits', '3'], ['igq:3 W4A3']),
        (['--compare', 'igq, layerwise'], ['igq:12 W4A4', 'layerwise W4A4']),
        (
            ['--weights', 'ridge+gptq', '--method', 'igq'],
            ['igq:12+ridge+gptq W4A4'],
        ),
        (['--rounding', 'gptq', '--groups', '8'], ['igq:8+gptq W4A4']),
        (['--ranges', 'fitted', '--groups', '8'], ['igq:8+fitted W4A4']),
        (['c.py', 'c.pth'], ['igq:12 W4A4']),
        (['c.py', 'c.pth', '--groups', '4'], ['igq:4 W4A4']),
    ],
)
def test_settings(args, names, tool):
    from igq_mmdet.report import run_name

    parsed = tool.parse_args(args)
    demo = (tool.COMPARE, tool.DEMO_BITS) if parsed.config is None else ()
    specs = tool.settings_of(parsed, *demo)
    assert [run_name(spec) for spec in specs] == names


def test_a_preset_is_a_set_of_defaults(tool):
    args = tool.parse_args(['--preset', 'best', '--groups', '8'])
    (spec,) = tool.settings_of(args)
    assert spec.weights == 'ridge+gptq' and args.calib_images == 8
    own = ['--preset', 'best', '--calib-images', '1', '--weights', 'nearest']
    args = tool.parse_args(own)
    assert args.calib_images == 1 and args.rounding == 'nearest'
    assert tool.parse_args([]).calib_images == 1


@pytest.mark.parametrize(
    'args, text',
    [
        (['--load', 'x', '--save', 'y'], '--load evaluates one file'),
        (['--load', 'x', '--reference', 'y'], '--load evaluates one file'),
        (['--load', 'x', '--w-bits', '8'], 'leave --w-bits'),
        (['--load', 'x', '--preset', 'best'], 'leave --preset'),
        (['--load', 'x', '--calib-images', '2'], 'leave --calib-images'),
        (['--save', 'x', '--compare', 'igq'], '--save writes one setting'),
        (['--method', 'igq', '--compare', 'igq'], 'leave --method'),
        (['--quiet', '--show-progress'], 'not allowed with'),
    ],
)
def test_arguments_that_contradict(args, text, tool, capsys):
    with pytest.raises(SystemExit) as info:
        tool.parse_args(args)
    assert info.value.code == 2
    assert text in capsys.readouterr().err
