"""Checkpoints of Swin-Transformer-Object-Detection, by numbers."""

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch

pytest.importorskip('mmdet')

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from igq_mmdet.detection.models.convert_swin import (
    convert_file,
    convert_state,
    merging_order,
)
from igq_mmdet.detection.models.float_checkpoint import load_float_checkpoint
from igq_mmdet.errors import CheckpointError

from .original_swin import SIZES, original_detector

ROOT = Path(__file__).resolve().parents[3]
CASCADE = (
    'configs/cascade_mask_rcnn/cascade-mask-rcnn_swin-{}-p4-w7_fpn_'
    '4conv1fc-giou_amp-ms-crop-3x_coco.py'
)
MASK = 'configs/mask_rcnn/mask-rcnn_swin-{}_coco_w4a4_g8.py'


def build(size, cascade):
    # mmdet has no Mask R-CNN on Swin-B; Swin-S differs in widths only.
    name = CASCADE if cascade else MASK
    filename = ROOT / name.format(size if cascade or size != 'b' else 's')
    cfg = Config.fromfile(filename, import_custom_modules=False)
    width = SIZES[size]['width']
    cfg.model.backbone.update(
        embed_dims=width, num_heads=list(SIZES[size]['heads'])
    )
    cfg.model.neck.in_channels = [width << i for i in range(4)]
    init_default_scope('mmdet')
    return MODELS.build(cfg.model).eval()


def save(state, path):
    """As the original's runner saves it."""
    meta = dict(mmdet_version='2.11.0', epoch=36, CLASSES=('person',))
    optimizer = dict(state={0: dict(step=1, exp_avg=torch.ones(2))})
    torch.save(dict(meta=meta, state_dict=state, optimizer=optimizer), path)
    return str(path)


@pytest.fixture(scope='module')
def tiny():
    """mmdet's Mask R-CNN Swin-T and the original's weights for it."""
    return build('t', False), original_detector('t', False)[1]


@pytest.mark.slow
@pytest.mark.parametrize('cascade', [False, True], ids=['mask', 'cascade'])
@pytest.mark.parametrize('size', SIZES)
def test_equal_features(size, cascade, tmp_path):
    swin, state = original_detector(size, cascade)
    source = save(state, tmp_path / 'original.pth')
    target = str(tmp_path / 'converted.pth')
    detector = build(size, cascade)
    count = convert_file(source, target, detector, 'config.py')
    assert count == len(state) == len(detector.state_dict())
    load_float_checkpoint(detector, target)
    for name in state:
        if not name.startswith('backbone.'):
            assert torch.equal(detector.state_dict()[name], state[name]), name

    swin, backbone = swin.double(), detector.backbone.double()
    # Nothing padded; every window, patch and merging padded.
    for height, width in ((224, 224), (66, 89)):
        image = torch.randn(2, 3, height, width, dtype=torch.float64)
        with torch.no_grad():
            wanted, got = swin(image), backbone(image)
        for a, b in zip(got, wanted, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)


def feature_errors(detector, swin):
    image = torch.randn(1, 3, 66, 89)
    with torch.no_grad():
        pairs = zip(detector.backbone(image), swin(image), strict=True)
        return [float((a - b).abs().max()) for a, b in pairs]


def test_names_alone_are_not_enough(tiny):
    detector, _ = tiny
    swin, state = original_detector('t', False)
    detector.load_state_dict(convert_state(state, detector))
    assert max(feature_errors(detector, swin)) < 1e-4  # float32
    with mock.patch(
        'igq_mmdet.detection.models.convert_swin.merging_order',
        lambda value: value,
    ):
        detector.load_state_dict(convert_state(state, detector))
    first, *others = feature_errors(detector, swin)
    assert first < 1e-4 and min(others) > 0.1


def test_merging_order():
    # Two channels; the value says row, column, channel.
    original = torch.tensor([0, 1, 100, 101, 10, 11, 110, 111])
    wanted = torch.tensor([0, 10, 100, 110, 1, 11, 101, 111])
    assert torch.equal(merging_order(original), wanted)
    rows = torch.stack([original, -original])
    assert torch.equal(merging_order(rows), torch.stack([wanted, -wanted]))


@pytest.mark.parametrize(
    'key',
    [
        'backbone.layers.2.downsample.reduction.weight',
        'backbone.layers.1.blocks.0.attn.relative_position_bias_table',
        'backbone.layers.0.blocks.1.attn.relative_position_index',
        'neck.fpn_convs.2.conv.bias',
        'roi_head.mask_head.upsample.weight',
    ],
)
def test_a_renamed_key_is_refused_by_name(key, tiny, tmp_path):
    detector, state = tiny
    state = dict(state)
    integer = not state[key].is_floating_point()
    state[f'{key}_renamed'] = state.pop(key)
    source = save(state, tmp_path / 'in.pth')
    with pytest.raises(CheckpointError) as error:
        convert_file(source, str(tmp_path / 'out.pth'), detector, 'c.py')
    text = str(error.value)
    assert text.startswith(source) and '\n' not in text
    assert f'unknown keys: {key}_renamed' in text
    assert integer or f'missing keys: {key}' in text
    assert [path.name for path in tmp_path.iterdir()] == ['in.pth']


def test_all_wrong_keys_are_listed(tiny, tmp_path):
    detector, state = tiny
    state = dict(state, **{f'extra.{i}': torch.ones(1) for i in range(9)})
    gone = [k for k in state if k.startswith('backbone.layers.3.blocks.1.mlp')]
    for key in gone:
        del state[key]
    source = save(state, tmp_path / 'in.pth')
    with pytest.raises(CheckpointError) as error:
        convert_file(source, str(tmp_path / 'out.pth'), detector, 'c.py')
    names = [*gone, *(f'extra.{i}' for i in range(9))]
    assert len(gone) == 4
    assert all(name in str(error.value) for name in names)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (
            {'backbone.norm0.weight': torch.ones(128)},
            r'backbone.norm0.weight is \(128,\) instead of \(96,\)',
        ),
        (
            {
                'backbone.layers.0.blocks.0.attn.relative_position_index': (
                    torch.zeros(49, 49, dtype=torch.long)
                )
            },
            'layers.0.blocks.0.attn.relative_position_index: positions',
        ),
    ],
)
def test_other_shapes_and_positions(change, message, tiny, tmp_path):
    detector, state = tiny
    source = save(dict(state, **change), tmp_path / 'in.pth')
    with pytest.raises(CheckpointError, match=message):
        convert_file(source, str(tmp_path / 'out.pth'), detector, 'c.py')
    assert not (tmp_path / 'out.pth').exists()


@pytest.mark.parametrize('zipped', [True, False])
def test_files_of_mmdet_load_as_they_are(zipped, tiny, tmp_path):
    detector, _ = tiny
    own = detector.state_dict()
    # The layout mmdet has had since its Swin was added in 2.16.
    for key in (
        'backbone.patch_embed.projection.weight',
        'backbone.stages.0.blocks.0.attn.w_msa.relative_position_bias_table',
        'backbone.stages.0.blocks.0.attn.w_msa.qkv.weight',
        'backbone.stages.0.blocks.0.ffn.layers.0.0.weight',
        'backbone.stages.0.blocks.0.ffn.layers.1.weight',
        'backbone.stages.0.downsample.reduction.weight',
    ):
        assert key in own
    state = {
        key: torch.rand_like(value) if value.is_floating_point() else value
        for key, value in own.items()
    }
    path = tmp_path / 'mmdet.pth'
    meta = dict(mmdet_version='2.16.0', CLASSES=('person',), epoch=36)
    torch.save(
        dict(meta=meta, state_dict=state),
        path,
        _use_new_zipfile_serialization=zipped,
    )
    load_float_checkpoint(detector, str(path))
    for key, value in detector.state_dict().items():
        assert torch.equal(value, state[key]), key
    with pytest.raises(CheckpointError, match='use the file as it is'):
        convert_file(str(path), str(tmp_path / 'o.pth'), detector, 'c.py')


class Bomb:
    def __reduce__(self):
        return os.mkdir, (os.environ['IGQ_TEST_BOMB'],)


def test_pickled_code_does_not_run(tiny, tmp_path, monkeypatch):
    detector, state = tiny
    monkeypatch.setenv('IGQ_TEST_BOMB', str(tmp_path / 'exploded'))
    path = tmp_path / 'in.pth'
    torch.save(dict(state_dict=state, meta=Bomb()), path)
    with pytest.raises(CheckpointError, match='in.pth: cannot be read'):
        convert_file(str(path), str(tmp_path / 'o.pth'), detector, 'c.py')
    assert [p.name for p in tmp_path.iterdir()] == ['in.pth']


def test_an_interrupted_write_leaves_the_old_file(tiny, tmp_path):
    detector, state = tiny
    source = save(state, tmp_path / 'in.pth')
    target = tmp_path / 'out.pth'
    target.write_bytes(b'old')
    with (
        mock.patch('torch.save', side_effect=OSError('disk full')),
        pytest.raises(OSError, match='disk full'),
    ):
        convert_file(source, str(target), detector, 'c.py')
    assert target.read_bytes() == b'old'
    assert len(list(tmp_path.iterdir())) == 2


def test_target_is_named_pth(tiny, tmp_path):
    target = str(tmp_path / 'out.safetensors')
    with pytest.raises(
        CheckpointError, match=r'name the converted file \*.pth'
    ):
        convert_file('in.pth', target, tiny[0], 'c.py')


def run(*args):
    return subprocess.run(
        [sys.executable, 'tools/convert_checkpoint.py', *map(str, args)],
        cwd=ROOT,
        env=os.environ | {'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_command_line(tmp_path):
    config = MASK.format('t')
    _, state = original_detector('t', False)
    source = save(state, tmp_path / 'in.pth')
    done = run(config, source, tmp_path / 'out.pth')
    assert done.returncode == 0, done.stderr
    content = torch.load(tmp_path / 'out.pth', weights_only=True)
    assert content['meta']['converted_from'] == 'in.pth'
    assert len(content['state_dict']) == len(state)


@pytest.mark.slow
def test_command_line_errors_are_one_line(tmp_path):
    target = tmp_path / 'out.pth'
    done = run(CASCADE.format('t'), tmp_path / 'no.pth', target)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith('error: ') and 'no such checkpoint' in last
    assert not target.exists()
