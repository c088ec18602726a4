"""Bad input: one line, status 1, nothing half-written."""

import json
import os
import shutil
import struct

import pytest

pytest.importorskip('mmdet')

import torch
from safetensors.torch import load_file, save_file

from ..few import annotations, judged_by

CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo.py'
FLOAT = 'demo/swin_mini_mask_rcnn.safetensors'


@pytest.fixture
def refused(ptq, tmp_path):
    """Runs and checks the form of the error; gives its text."""

    def run(*args, save=True, options=()):
        path = tmp_path / 'never.safetensors'
        if save:
            args += ('--save', path)
        before = set(os.listdir(tmp_path))
        done = ptq(*args, '--quiet', options=options)
        assert done.status == 1
        assert done.err.startswith('error: ') and done.err.endswith('\n')
        assert done.err.count('\n') == 1, done.err
        assert done.out == ''
        assert done.report is None
        assert set(os.listdir(tmp_path)) - before <= {'work'}
        return done.err

    return run


@pytest.fixture
def demo(tmp_path):
    """A copy of the demo's data that may be damaged, as options."""
    folder = tmp_path / 'demo'
    shutil.copytree('demo/images', folder / 'images')
    shutil.copy('demo/instances_calib.json', folder)
    listed = shutil.copy(annotations(8), folder / 'instances_eval.json')
    options = [
        f'{part}.data_root={folder}/'
        for part in ('test_dataloader.dataset', 'calib_dataset')
    ]
    return folder, [*options, *judged_by(listed)]


@pytest.mark.parametrize(
    'args, text',
    [
        (('gone.py', FLOAT), 'gone.py: no such config'),
        ((CONFIG, 'gone.pth'), 'gone.pth: no such checkpoint'),
        ((CONFIG, CONFIG), 'demo.py: cannot be read as a checkpoint'),
        (('--w-bits', 1), 'w_bits must be 2 to 8, got 1'),
        (('--a-bits', 9), 'a_bits must be 2 to 8, got 9'),
        (('--groups', 0), 'groups must be at least 1, got 0'),
        (('--method', 'igp'), "unknown method 'igp'; did you mean 'igq'?"),
        (('--parts', 'rnp'), "unknown part 'rnp'; did you mean 'rpn'?"),
        (('--parts', ''), 'parts'),
        (('--include', 'neck.lateral*', 'x*'), "pattern 'x*' matches no"),
        (('--exclude', 'nack*'), "exclude pattern 'nack*' matches no layer"),
        (('--calib-images', 0), 'the calibration set has 8, choose 1 to 8'),
        (('--calib-images', 9), 'the calibration set has 8, choose 1 to 8'),
        (('--seed', -1), 'seed must be an integer from 0, got -1'),
        (('--threads', 0), 'threads must be at least 1'),
    ],
)
def test_arguments(args, text, refused):
    assert text in refused(*args)


@pytest.mark.parametrize(
    'names, text',
    [
        ('igq:0', 'groups must be at least 1'),
        ('igq:x', "'igq:x' is not METHOD or METHOD:GROUPS"),
        ('igq:', "'igq:' is not METHOD or METHOD:GROUPS"),
        ('igq,,layerwise', "unknown method ''"),
        ('layer-wise', "did you mean 'layerwise'"),
    ],
)
def test_compare(names, text, refused):
    assert text in refused('--compare', names, save=False)


def test_every_seed_is_drawn_before_evaluation(refused):
    assert 'got -1' in refused('--seed', 0, -1, save=False)


@pytest.mark.parametrize(
    'option, text',
    [
        ('nonsense', "'nonsense' is not key=value"),
        ('calib_dataset.pipeline.9.type=x', "pipeline.9.type=x' does not fit"),
        ('test_dataloader=None', 'no test_dataloader'),
        ('test_evaluator=None', 'no test_evaluator'),
        ('model.type=MaskCNN', 'MaskCNN'),
        ('model.backbone.embed_dim=32', 'embed_dim'),
        ('calib_dataset=None', 'calib_dataset=dict('),
        ('test_evaluator.ann_file=x.json', 'test_evaluator: x.json'),
        ('test_dataloader.dataset.ann_file=x.json', 'demo/x.json is not'),
        ('calib_dataset.ann_file=x.json', 'demo/x.json is not there'),
    ],
)
def test_configs(option, text, refused):
    assert text in refused(options=[option])


def test_config_that_is_no_config(refused, tmp_path):
    (tmp_path / 'bad.py').write_text('model = dict(\n')
    text = refused(tmp_path / 'bad.py', FLOAT)
    assert 'bad.py: cannot be read as a config' in text


def test_checkpoint_of_another_architecture(refused, tmp_path):
    text = refused(
        options=['model.roi_head.mask_head.num_convs=3']
        + ['model.roi_head.bbox_head.fc_out_channels=64']
    )
    assert 'made for another architecture' in text
    assert 'roi_head.mask_head.convs.2.conv.weight' in text
    assert 'roi_head.bbox_head.fc_cls.weight (81, 256) instead' in text


def test_images_that_are_not_there(refused, demo):
    folder, options = demo
    name = json.loads((folder / 'instances_eval.json').read_text())
    name = name['images'][0]['file_name']
    (folder / 'images' / name).unlink()
    text = refused(options=options)
    assert 'instances_eval.json lists 1 of 8 images that are not' in text
    assert name in text


def test_no_calibration_images(refused, demo):
    folder, options = demo
    path = folder / 'instances_calib.json'
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {'images': [], 'annotations': []}))
    assert 'instances_calib.json lists no images' in refused(options=options)


def test_calibration_image_that_does_not_decode(refused, demo):
    folder, options = demo
    (folder / 'images/000000229997.jpg').write_text('no picture')
    text = refused(options=options)
    assert '000000229997.jpg: calibration image cannot be read' in text


@pytest.mark.parametrize('workers', [0, 1])
def test_evaluation_image_that_does_not_decode(workers, ptq, demo, tmp_path):
    folder, options = demo
    name = '000000000072.jpg'
    (folder / 'images' / name).write_text('no picture')
    path = tmp_path / 'q.safetensors'
    options += [f'test_dataloader.num_workers={workers}']
    done = ptq('--save', path, '--skip-float', '--quiet', options=options)
    assert done.status == 1 and done.report is None
    assert done.err.count('\n') == 1
    assert (
        f'{name}: evaluation image cannot be read (does not decode)'
        in done.err
    )
    assert path.is_file()  # calibration is not lost


def test_error_after_a_progress_bar(ptq, demo):
    folder, options = demo
    (folder / 'images/000000229997.jpg').write_text('no picture')
    lines = ptq('--save', 'x', options=options).err.splitlines()
    assert lines[-1].startswith('error: ')
    assert sum('error' in line for line in lines) == 1


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_no_numbers(value, refused, tmp_path):
    state = {k: v.float() for k, v in load_file(FLOAT).items()}
    state['backbone.stages.1.blocks.0.ffn.layers.0.0.bias'][3] = value
    path = tmp_path / 'nan.safetensors'
    save_file(state, path)
    text = refused(CONFIG, path)
    assert 'NaN or infinity at' in text
    assert 'backbone.stages.1.blocks.0.ffn.layers.1' in text


@pytest.mark.parametrize(
    'name, text',
    [('gone/q.safetensors', 'no such folder'), ('', 'is a folder')],
)
def test_save_is_checked_first(name, text, refused, tmp_path, monkeypatch):
    from igq_mmdet.detection.models import config as cli

    def never(*args, **kw):
        raise AssertionError('worked before looking where to save')

    monkeypatch.setattr(cli, 'load_config', never)
    assert text in refused('--save', tmp_path / name, save=False)


@pytest.fixture(scope='module')
def quantized(tmp_path_factory):
    """A file of the neck alone, made without evaluation."""
    from mmengine.registry import MODELS

    import igq_mmdet as igq
    from igq_mmdet.detection.models.config import load_config

    config = load_config(CONFIG)
    detector = MODELS.build(config.model)
    model = igq.quantize(detector, igq.QuantSpec(parts='neck'))
    batch = torch.randn(1, 3, 64, 64)
    igq.calibrate(model, [batch], lambda model, x: model.extract_feat(x))
    path = tmp_path_factory.mktemp('neck') / 'q.safetensors'
    igq.save(model, path)
    return path


def newer(content):
    """The same file, of a later format version."""
    (length,) = struct.unpack('<Q', content[:8])
    header = json.loads(content[8 : 8 + length])
    header['__metadata__']['format_version'] = '99'
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + content[8 + length :]


@pytest.mark.parametrize(
    'damage, text',
    [
        (lambda content: content[:-100], 'damaged or not a safetensors file'),
        (
            lambda content: content[:-9] + b'\x55' + content[-8:],
            'digest does not match',
        ),
        (newer, 'format version 99 is newer'),
        (lambda content: b'', 'damaged or not a safetensors file'),
    ],
)
def test_load_of_a_damaged_file(damage, text, quantized, refused, tmp_path):
    path = tmp_path / 'bad.safetensors'
    content = quantized.read_bytes()
    path.write_bytes(damage(content))
    assert path.read_bytes() != content
    error = refused('--load', path, save=False)
    assert text in error and str(path) in error


def test_load_of_another_model(quantized, refused):
    options = ['model.neck.out_channels=32', 'model.rpn_head.in_channels=32']
    text = refused(CONFIG, '--load', quantized, save=False, options=options)
    assert 'made for another model' in text and 'neck' in text


def test_load_of_no_file(refused):
    assert 'gone: no such file' in refused('--load', 'gone', save=False)


def test_float_and_quantized_files_taken_for_each_other(quantized, refused):
    text = refused('--load', FLOAT, save=False)
    assert 'not an igq_mmdet checkpoint' in text
    assert 'use it with --load' in refused(CONFIG, quantized)
