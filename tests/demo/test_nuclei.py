"""The nuclei: split, kinds, weights, and training that can be resumed."""

import json
import os
from collections import Counter
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

pytest.importorskip('mmdet')

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

ROOT = Path(__file__).resolve().parents[2]
NUCLEI = ROOT / 'demo/nuclei'
CONFIG = 'configs/nuclei/mask-rcnn_swin-mini_nuclei.py'
WEIGHTS = ROOT / 'demo/swin_mini_nuclei.safetensors'
SIZES = {'train': 466, 'val': 32, 'test': 166}


def images(split):
    listed = json.loads((NUCLEI / f'instances_{split}.json').read_text())
    return listed['images']


def test_split_is_whole_and_disjoint():
    every = {split: images(split) for split in SIZES}
    assert {split: len(found) for split, found in every.items()} == SIZES
    for field in ('id', 'file_name', 'source_id'):
        values = [one[field] for found in every.values() for one in found]
        assert len(set(values)) == 664, field
    there = {path.name for path in (NUCLEI / 'images').iterdir()}
    assert there == {
        one['file_name'] for found in every.values() for one in found
    }


def test_readme_counts_kinds():
    readme = (NUCLEI / 'README.md').read_text()
    counts = [Counter(one['kind'] for one in images(split)) for split in SIZES]
    assert set(sum(counts, Counter())) == {
        'fluorescence',
        'stained tissue',
        'brightfield',
    }
    for kind, every in sum(counts, Counter()).items():
        (row,) = [
            line
            for line in readme.splitlines()
            if line.startswith(f'| `{kind}`')
        ]
        cells = [int(cell) for cell in row.split('|')[2:-1]]
        assert cells == [every, *(count[kind] for count in counts)]


def test_weights_fit_the_config():
    init_default_scope('mmdet')
    detector = MODELS.build(Config.fromfile(ROOT / CONFIG).model)
    detector.load_state_dict(load_file(WEIGHTS), strict=True)
    assert WEIGHTS.stat().st_size < 9e6
    with safe_open(WEIGHTS, 'pt') as file:
        assert file.metadata()['config'] == CONFIG


def test_nothing_is_chosen_by_test_images():
    for name in ('_train', '_train_stage2', ''):
        cfg = Config.fromfile(ROOT / CONFIG.replace('.py', f'{name}.py'))
        assert cfg.val_dataloader.dataset.ann_file == 'instances_val.json'
        assert cfg.val_evaluator.ann_file.endswith('instances_val.json')
        assert cfg.calib_dataset.ann_file == 'instances_val.json'
        assert cfg.test_dataloader.dataset.ann_file == 'instances_test.json'
        assert cfg.test_evaluator.ann_file.endswith('instances_test.json')
    stages = [
        Config.fromfile(ROOT / CONFIG.replace('.py', f'{name}.py'))
        for name in ('_train', '_train_stage2')
    ]
    first, second = (cfg.train_dataloader for cfg in stages)
    assert first.dataset.ann_file == 'instances_train.json'
    assert first == second
    for cfg in stages:  # cosine ends with training
        assert cfg.param_scheduler[1].end == cfg.train_cfg.max_iters


SHORT = """
_base_ = '{config}'
train_dataloader = dict(batch_size=1, dataset=dict(indices=4))
val_dataloader = dict(dataset=dict(indices=1))
default_hooks = dict(checkpoint=dict(interval=1))
log_level = 'WARNING'
"""


@pytest.mark.slow
def test_a_stage_is_resumed(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'demo'))
    monkeypatch.chdir(ROOT)
    from stages import train_stage

    config = tmp_path / 'short.py'
    base = ROOT / CONFIG.replace('.py', '_train_stage2.py')
    config.write_text(SHORT.format(config=base))

    def train(iters, resume):
        return train_stage(config, tmp_path, WEIGHTS, iters, resume)

    name = 'backbone.stages.0.blocks.0.norm1.weight'
    start = load_file(WEIGHTS)[name].float()
    # nothing there yet: begins with the weights given, as without resume
    one = train(1, resume=True).state_dict()[name].detach()
    assert 0 < (one - start).abs().max() < 1e-3
    train(2, resume=True)
    kept = sorted(path.name for path in tmp_path.glob('iter_*.pth'))
    assert kept == ['iter_1.pth', 'iter_2.pth']
    first, second = (
        torch.load(tmp_path / kept_name, weights_only=True)
        for kept_name in kept
    )
    assert [one['meta']['iter'] for one in (first, second)] == [1, 2]
    torch.testing.assert_close(first['state_dict'][name], one)
    steps = [one['optimizer']['state'][0]['step'] for one in (first, second)]
    assert [int(step) for step in steps] == [1, 2]
    assert not os.path.exists(tmp_path / 'iter_3.pth')


@pytest.mark.parametrize('options', [[], ['--stage2'], ['--stage1']])
def test_train_nuclei_runs_stages(options, tmp_path, monkeypatch):
    """Which configs, from which weights; a stage itself is tested above."""
    monkeypatch.syspath_prepend(str(ROOT / 'demo'))
    import train_nuclei

    calls = []

    def stage(config, work_dir, load_from=None, iters=None, resume=False):
        assert (ROOT / config).is_file()
        calls.append((config, work_dir.name, load_from, iters, resume))
        torch.manual_seed(len(calls))
        return torch.nn.Linear(2, 2)

    argv = ['--work-dir', str(tmp_path), '--iters', '5', '7', '--resume']
    argv += options
    out = start = tmp_path / 'swin_mini_nuclei.safetensors'
    if options == ['--stage1']:
        argv += ['mine.safetensors']
        start = 'mine.safetensors'
    monkeypatch.setattr(train_nuclei, 'train_stage', stage)
    monkeypatch.setattr('sys.argv', ['train_nuclei.py', *argv])
    train_nuclei.main()
    base = CONFIG.removesuffix('.py')
    expected = [
        (f'{base}_train.py', 'stage1', None, 5, True),
        (f'{base}_train_stage2.py', 'stage2', start, 7, True),
    ]
    if options == []:
        del expected[1]
    if options == ['--stage1']:
        del expected[0]
    assert calls == expected
    with safe_open(out, 'pt') as file:
        assert file.metadata()['config'] == CONFIG
    torch.manual_seed(len(calls))  # what the last stage gave
    last = torch.nn.Linear(2, 2).weight.half()
    assert torch.equal(load_file(out)['weight'], last)
