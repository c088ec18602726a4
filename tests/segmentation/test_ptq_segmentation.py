"""The whole command on six images of two sets."""

import importlib.util
import json
import signal
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

pytest.importorskip('mmdet')
pytest.importorskip('timm')
pytest.importorskip('py_sod_metrics')

from igq_mmdet.files.journal import scan

from ..conftest import ROOT
from ..jobs.real_processes import end, environment, start
from ..tools.conftest import plain_configs  # noqa: F401
from .cod_network import no_map, tiny

SETTINGS = 'layerwise,igq:4'
CONFIG = """
_base_ = 'igq_mmdet::_base_/maps.py'
model = dict(network=dict(type='tests.segmentation.cod_network.tiny'))
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(64, 64), keep_ratio=False),
    dict(type='igq_mmdet.PackMap'),
]
test_dataloader = dict(
    dataset=dict(
        data_root='{folder}/TestDataset',
        sets=['CAMO', 'CHAMELEON'],
        pipeline=test_pipeline,
    )
)
calib_dataset = dict(
    data_root='{folder}/TrainValDataset', pipeline=test_pipeline
)
"""


@pytest.fixture
def folder(sets):
    """A config and weights beside the sets."""
    (sets / 'net.py').write_text(CONFIG.format(folder=sets))
    torch.manual_seed(0)
    torch.save({'state_dict': tiny().state_dict()}, sets / 'net.pth')
    return sets


@pytest.fixture(scope='module')
def tool():
    path = ROOT / 'tools/ptq_segmentation.py'
    spec = importlib.util.spec_from_file_location('ptq_segmentation', path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def ptq(tool, folder, capfd):
    """Runs it in this process; gives status, stdout, stderr, report."""

    def run(*args, work='work'):
        report = folder / work / 'igq_report.json'
        argv = [folder / 'net.py', folder / 'net.pth', '--calib-images', 2]
        argv += ['--work-dir', report.parent, *args]
        with warnings.catch_warnings():
            warnings.simplefilter('ignore')  # a Runner was built before
            status = tool.main([str(arg) for arg in argv])
        out, err = capfd.readouterr()
        content = None
        if report.is_file():
            content = json.loads(report.read_text())
        return SimpleNamespace(status=status, out=out, err=err, report=content)

    return run


def metrics(report):
    return [report['float'], *report['runs']]


@pytest.mark.slow
def test_float_and_quantized_set_by_set(ptq, folder):
    done = ptq('--compare', SETTINGS)
    assert done.status == 0, done.err
    assert done.out.startswith(
        "calibration images ['TrainValDataset/img_2', 'TrainValDataset/img_3']"
    )
    title = next(x for x in done.out.splitlines() if x.startswith('setting'))
    for name in ('CAMO S', 'CAMO MAE', 'CHAMELEON S', 'CHAMELEON MAE'):
        assert name in title
    for entry in metrics(done.report):
        assert len(entry['metrics']) == 2 * 10
        assert 0 < entry['metrics']['CAMO/Smeasure'] < 1
    for run in done.report['runs']:
        assert run['coverage']['uncovered'] == []
        assert list(run['parts']) == ['model']
    (row,) = done.report['differences']['settings']
    assert set(row['metrics']) == {
        f'{name}/{key}'
        for name in ('CAMO', 'CHAMELEON')
        for key in ('Smeasure', 'MAE')
    }
    # what is kept is what was judged
    path = folder / 'work/predictions/float.jsonl'
    entries = [line.entry for line in scan(path)][1:-1]
    assert len(entries) == 6 and all('mask' in entry for entry in entries)


@pytest.mark.slow
def test_one_of_the_sets(ptq):
    done = ptq('--sets', 'CHAMELEON', '--quiet')
    assert done.status == 0, done.err
    assert {key.split('/')[0] for key in done.report['float']['metrics']} == {
        'CHAMELEON'
    }


@pytest.mark.slow
def test_saved_and_loaded(ptq, folder):
    file = folder / 'q.safetensors'
    saved = ptq('--save', file, '--groups', 4)
    assert saved.status == 0, saved.err
    done = ptq('--calib-images', 32, '--load', file, work='loaded')
    assert done.status == 0, done.err
    for key in ('metrics', 'spec', 'calibration', 'bytes'):
        assert done.report['runs'][0][key] == saved.report['runs'][0][key]


@pytest.mark.slow
def test_allocated_by_what_the_map_says(ptq):
    done = ptq(
        *('--groups', 4, '--allocate', '--candidates', '2,4,6', '--quiet')
    )
    assert done.status == 0, done.err
    one, allocated = done.report['runs']
    found = allocated['allocation']
    assert found['bops'] <= found['budget']
    assert set(found['spec']['layer_groups'].values()) <= {2, 4, 6}


def without_times(value):
    if isinstance(value, dict):
        return {
            key: without_times(one)
            for key, one in value.items()
            if 'seconds' not in key
        }
    if isinstance(value, list):
        return [without_times(one) for one in value]
    return value


def command(folder, work_dir, *args, launcher=()):
    argv = [sys.executable, *launcher, 'tools/ptq_segmentation.py']
    argv += [folder / 'net.py', folder / 'net.pth', '--calib-images', 2]
    argv += ['--compare', SETTINGS, '--work-dir', work_dir, *args]
    return start(argv, environment())


def finished(process):
    ((status, _, err),) = end([process])
    assert status == 0, err


def kept(work_dir):
    return sum(
        line.entry is not None and 'img_id' in line.entry
        for path in (work_dir / 'predictions').glob('*.jsonl')
        for line in scan(path)
    )


def report(work_dir):
    return without_times(
        json.loads((work_dir / 'igq_report.json').read_text())
    )


@pytest.mark.slow
def test_resumed_after_a_kill_and_on_two_processes(folder):
    """Report and figures are those of one straight run."""
    straight, broken, two = (folder / x for x in ('one', 'broken', 'two'))
    finished(command(folder, straight))
    process = command(folder, broken)
    while kept(broken) < 8:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGKILL)
    end([process])
    assert kept(broken) < 18
    finished(command(folder, broken, '--resume'))
    assert report(broken) == report(straight)
    launcher = ['tools/torchrun.py', '--standalone']
    launcher += ['--local_addr=127.0.0.1', '--nproc_per_node=2']
    finished(command(folder, two, '--launcher', 'pytorch', launcher=launcher))
    for one, other in zip(
        metrics(report(two)), metrics(report(straight)), strict=True
    ):
        assert one['metrics'] == pytest.approx(other['metrics'], abs=1e-12)


def _no_mask(folder):
    (folder / 'TestDataset/CAMO/GT/img_1.png').unlink()


def _no_image(folder):
    (folder / 'TestDataset/CAMO/Imgs/img_1.jpg').unlink()


def _broken_image(folder):
    (folder / 'TestDataset/CAMO/Imgs/img_1.jpg').write_bytes(b'no image')


def _broken_mask(folder):
    (folder / 'TestDataset/CAMO/GT/img_1.png').write_bytes(b'no image')


def _nothing(folder):
    for path in (folder / 'TestDataset/CAMO/Imgs').iterdir():
        path.unlink()


def _nan(folder):
    state = torch.load(folder / 'net.pth')
    state['state_dict']['fine.bias'].fill_(float('nan'))
    torch.save(state, folder / 'net.pth')


def _shape(folder):
    text = (folder / 'net.py').read_text()
    text += "\nmodel['network']['type'] = 'tests.segmentation.cod_network"
    (folder / 'net.py').write_text(text + ".no_map'\n")
    torch.save(no_map().state_dict(), folder / 'net.pth')


def _output(folder):
    text = (folder / 'net.py').read_text()
    (folder / 'net.py').write_text(f"{text}\nmodel['output'] = 'mask'\n")


def _other_weights(folder):
    torch.save({'state_dict': {'x': torch.zeros(1)}}, folder / 'net.pth')


def _overlap(folder):
    text = (folder / 'net.py').read_text()
    text = text.replace('TrainValDataset', 'TestDataset/CAMO')
    (folder / 'net.py').write_text(text)


@pytest.mark.parametrize(
    'change, message',
    [
        (_no_mask, 'Imgs/img_1.jpg: has no mask in'),
        (_no_image, 'GT/img_1.png: has no image in'),
        (_broken_image, 'img_1.jpg: evaluation image cannot be read'),
        (_broken_mask, 'img_1.png: mask image cannot be read'),
        (_nothing, 'Imgs: holds no images'),
        (_nan, 'its map has NaN or infinity'),
        (_shape, 'NoMap gives (1, 7, 32) for images (1, 3, 64, 64)'),
        (_output, "model.output: 'mask' is no position in the 2"),
        (_other_weights, 'net.pth: made for another architecture'),
        (_overlap, 'is an evaluation image; use another calib_dataset'),
    ],
)
def test_errors_are_one_line(ptq, folder, change, message):
    change(folder)
    done = ptq('--quiet')
    assert done.status == 1
    (line,) = done.err.splitlines()
    assert line.startswith('error: ') and message in line
    assert done.report is None
    assert not list(folder.rglob('.*.tmp'))


def test_a_set_that_is_not_there(ptq):
    done = ptq('--sets', 'CAMO,NC4K', '--quiet')
    assert done.status == 1 and 'NC4K: no such folder' in done.err


def test_a_config_is_needed(tool, capsys):
    with pytest.raises(SystemExit):
        tool.main([])
    assert 'give CONFIG' in capsys.readouterr().err


def test_images_of_the_test_are_as_said(folder):
    """Sizes of image and mask differ from the network's, and each other."""
    mask = Image.open(folder / 'TestDataset/CAMO/GT/img_1.png')
    assert mask.size == (40, 50) and set(np.unique(mask)) == {0, 255}
