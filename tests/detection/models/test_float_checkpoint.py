"""Float checkpoints as mmengine writes them, read without pickle."""

import os
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

pytest.importorskip('mmdet')

from mmengine.hooks import Hook
from mmengine.logging.history_buffer import HistoryBuffer
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader
from safetensors.torch import load_file

from igq_mmdet.detection.models.float_checkpoint import (
    load_float_checkpoint,
    misfit,
    read_float_checkpoint,
)
from igq_mmdet.errors import CheckpointError
from igq_mmdet.openmmlab.safetensors_files import load_from_safetensors

from ..conftest import CONFIG, FLOAT


class Malicious:
    """Runs a command when it is unpickled."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


class SmallLoss(Hook):
    """Puts numpy scalars where detectors in the zoo have them."""

    def before_save_checkpoint(self, runner, checkpoint):
        checkpoint['meta']['best'] = np.float64(0.5)


@pytest.fixture(scope='module')
def trained(few_images, tmp_path_factory):
    """What mmengine's Runner writes after an iteration of training."""
    config = few_images(
        'train_dataloader.batch_size=2',
        'train_cfg.max_iters=1',
        'default_hooks.checkpoint.interval=1',
        filename=CONFIG.replace('demo.py', 'demo_stage1.py'),
    )
    for name in ('val_cfg', 'val_dataloader', 'val_evaluator'):
        config[name] = None
    config.work_dir = str(tmp_path_factory.mktemp('trained'))
    config.load_from = FLOAT
    runner = Runner.from_cfg(config)
    runner.register_hook(SmallLoss())
    runner.train()
    return runner, os.path.join(config.work_dir, 'iter_1.pth')


@pytest.mark.slow
def test_published_checkpoint(trained):
    runner, path = trained
    content = torch.load(path, weights_only=True)
    buffers = content['message_hub']['log_scalars'].values()
    assert any(isinstance(buffer, HistoryBuffer) for buffer in buffers)
    assert content['meta']['best'] == 0.5
    state = read_float_checkpoint(path)
    assert state.keys() == runner.model.state_dict().keys()
    for key, value in runner.model.state_dict().items():
        assert torch.equal(state[key], value), key


@pytest.mark.parametrize('core', ['numpy.core', 'numpy._core'])
def test_files_of_either_numpy(core, tmp_path, monkeypatch):
    buffer = HistoryBuffer(np.array([1.0, 2.0]), np.array([1, 1]))
    state = {'x': torch.ones(2)}
    content = {
        'state_dict': state,
        'message_hub': {'log_scalars': OrderedDict(loss=buffer)},
        'meta': {'best': np.float32(1)},
    }
    multiarray = getattr(np, '_core', None) or np.core
    for name in ('_reconstruct', 'scalar'):
        function = getattr(multiarray.multiarray, name)
        monkeypatch.setattr(function, '__module__', f'{core}.multiarray')
    torch.save(content, tmp_path / 'x.pth')
    assert f'{core}.multiarray'.encode() in (tmp_path / 'x.pth').read_bytes()
    assert read_float_checkpoint(str(tmp_path / 'x.pth')).keys() == {'x'}


def test_malicious_file_is_refused(tmp_path):
    path, trace = str(tmp_path / 'bad.pth'), tmp_path / 'trace'
    bad = Malicious(f'touch {trace}')
    torch.save({'state_dict': {'x': torch.ones(1)}, 'meta': bad}, path)
    with pytest.raises(CheckpointError, match='system') as info:
        read_float_checkpoint(path)
    assert not trace.exists()
    text = str(info.value)
    assert path in text and '\n' not in text
    assert 'weights_only' not in text  # no advice to load it all the same


def test_nobody_on_the_way_reads_it_unsafely(tmp_path, monkeypatch):
    """As onedl-mmengine, which tries again with all of pickle."""
    path, trace = str(tmp_path / 'bad.pth'), tmp_path / 'trace'
    torch.save({'x': torch.ones(1), 'meta': Malicious(f'touch {trace}')}, path)
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    monkeypatch.setattr(
        CheckpointLoader,
        'load_checkpoint',
        lambda filename, **_: torch.load(path, weights_only=False),
    )
    with pytest.raises(CheckpointError, match='system'):
        read_float_checkpoint('https://example.org/bad.pth')
    assert not trace.exists()


class Attribute:
    """Reaches for what a statistics buffer has no use for."""

    def __reduce__(self):
        return getattr, (HistoryBuffer, '__init__')


def test_getattr_is_for_statistics_alone(tmp_path):
    path = str(tmp_path / 'bad.pth')
    torch.save({'state_dict': {'x': torch.ones(1)}, 'a': Attribute()}, path)
    with pytest.raises(CheckpointError, match='getattr'):
        read_float_checkpoint(path)


@pytest.mark.parametrize(
    'content', [b'', b'not a checkpoint', b'PK\x03\x04 truncated']
)
@pytest.mark.parametrize('name', ['x.pth', 'x.safetensors'])
def test_damaged_file(content, name, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=name) as info:
        read_float_checkpoint(str(tmp_path / name))
    assert '\n' not in str(info.value)
    assert 'weights_only' not in str(info.value)


@pytest.mark.parametrize('content', [[1, 2], {'state_dict': {'a': 1}}, 3])
def test_file_without_weights(content, tmp_path):
    torch.save(content, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='no state dict'):
        read_float_checkpoint(str(tmp_path / 'x.pth'))


def test_missing_file():
    with pytest.raises(CheckpointError, match='gone.pth: no such checkpoint'):
        read_float_checkpoint('gone.pth')


def test_quantized_file_is_not_a_float_one(calibrated):
    with pytest.raises(CheckpointError, match='--load'):
        read_float_checkpoint(calibrated.path)
    content = load_from_safetensors(calibrated.path)
    assert content['igq_checkpoint'].spec == calibrated.spec


def test_half_precision_becomes_float32():
    stored = load_file(FLOAT)
    assert {v.dtype for v in stored.values()} >= {torch.float16}
    state = read_float_checkpoint(FLOAT)
    assert {v.dtype for v in state.values() if v.is_floating_point()} == {
        torch.float32
    }


def test_prefix_of_data_parallel_models(tmp_path):
    model = nn.Linear(2, 1)
    state = {f'module.{k}': v for k, v in model.state_dict().items()}
    torch.save(state, tmp_path / 'x.pth')
    other = nn.Linear(2, 1)
    load_float_checkpoint(other, str(tmp_path / 'x.pth'))
    assert torch.equal(other.weight, model.weight)


def test_misfit_names_the_first_keys(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    state = {'0.weight': torch.ones(2, 2), '0.bias': torch.ones(3), 'x': 1}
    text = misfit(model, state)
    assert 'missing 2 (1.weight, 1.bias)' in text
    assert 'unknown 1 (x)' in text
    assert '0.weight (2, 2) instead of (3, 2)' in text
    assert misfit(model, model.state_dict()) is None
    before = {k: v.clone() for k, v in model.state_dict().items()}
    torch.save({'0.bias': torch.ones(3)}, tmp_path / 'x.pth')
    with pytest.raises(CheckpointError, match='another architecture'):
        load_float_checkpoint(model, str(tmp_path / 'x.pth'))
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key])


def test_integers_are_no_weights(tmp_path):
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    state = dict(model.state_dict())
    # recomputed when a model is built, so that their kind does not matter
    state['1.num_batches_tracked'] = torch.tensor(3.0)
    assert misfit(model, state) is None
    state['0.weight'] = state['0.weight'].long()
    assert '0.weight torch.int64' in misfit(model, state)
