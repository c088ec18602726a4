"""The Python and config blocks of the pages do what the pages say."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import igq_mmdet as igq

from ..few import few
from .pages import ROOT, python_blocks


@pytest.fixture
def namespace(monkeypatch, tmp_path):
    """A small timm model under the names that the pages use."""
    timm = pytest.importorskip('timm')
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    model = timm.create_model(
        'vit_tiny_patch16_224', img_size=32, depth=2, embed_dim=96, num_heads=3
    ).eval()
    images = torch.randn(2, 3, 32, 32)
    return {'model': model, 'images': images, 'batches': [images]}


@pytest.mark.parametrize('page', ['README.md', 'docs/quantize.md'])
def test_python_interface(page, namespace, capfd):
    (block,) = [b for b in python_blocks(page) if 'igq.calibrate' in b]
    exec(block, namespace)
    assert Path('m.safetensors').is_file()
    assert 'total' in capfd.readouterr().out


def test_integer_copy(namespace, capfd):
    model = igq.quantize(namespace['model'], igq.QuantSpec())
    igq.calibrate(model, namespace['batches'])
    igq.save(model, 'm.safetensors')
    (block,) = python_blocks('docs/deploy.md')
    exec(block, {'igq': igq, **namespace})
    assert 'blocks.0.mlp.fc1' in capfd.readouterr().out


def test_worked_example_of_a_new_family(monkeypatch, tmp_path):
    pytest.importorskip('timm')
    from igq_mmdet.modules.table import LAYERS

    monkeypatch.chdir(tmp_path)
    for name in LAYERS:  # restored at the end, without what the page adds
        monkeypatch.setitem(LAYERS, name, LAYERS[name])
    torch.manual_seed(0)
    space: dict = {}
    try:
        for block in python_blocks('docs/add_a_model.md'):
            exec(block, space)
    finally:
        LAYERS.pop('timm.models.visformer.Attention', None)
    assert 'stage2.0.attn' in space['bypassed']
    assert len(space['bypassed']) == len(set(space['bypassed'])) * 2


def test_specs_of_the_pages_are_valid():
    (block,) = [b for b in python_blocks('docs/choose.md') if 'spec' in b]
    space: dict = {}
    exec(block, space)
    spec = igq.QuantSpec.from_dict(space['spec'])
    assert spec.part_settings('bbox_head')[0] == 8


# the demo's set instead of COCO's
DEMO = (
    ("data_root='data/coco/'", "data_root='demo/'"),
    ('annotations/instances_train2017.json', 'instances_calib.json'),
    ('train2017/', 'images/'),
)


@pytest.mark.slow
@pytest.mark.parametrize('page', ['README.md', 'docs/quantize.md'])
def test_hook_with_the_stock_test_tool(page, tmp_path):
    mmdet = pytest.importorskip('mmdet')
    (block,) = [b for b in python_blocks(page) if 'IGQHook' in b]
    for theirs, ours in DEMO:
        assert theirs in block
        block = block.replace(theirs, ours)
    base = ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'
    config = tmp_path / 'own.py'
    config.write_text(
        f"_base_ = '{base}'\n"
        f'test_pipeline = {{{{_base_.test_dataloader.dataset.pipeline}}}}\n'
        f'{block}'
    )
    tool = Path(mmdet.__file__).parent / '.mim/tools/test.py'
    work = tmp_path / 'work'
    done = subprocess.run(
        [
            sys.executable,
            str(tool),
            str(config),
            'demo/swin_mini_mask_rcnn.safetensors',
            '--work-dir',
            str(work),
            '--cfg-options',
            *few(2),
        ],
        cwd=ROOT,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (report,) = work.rglob('igq_report.json')
    (run,) = json.loads(report.read_text())['runs']
    assert run['name'] == 'igq:12 W4A4'
    assert 0 < run['metrics']['coco/bbox_mAP'] <= 1


@pytest.mark.slow
def test_wrapper_block(tmp_path):
    pytest.importorskip('mmdet')
    from mmengine.config import Config

    from igq_mmdet.registry import MODELS

    (block,) = [
        b for b in python_blocks('docs/quantize.md') if 'IGQDetector' in b
    ]
    base = Config.fromfile(ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py')
    space = {'model': base.model.to_dict()}
    exec(block, space)
    model = MODELS.build(Config({'model': space['model']}).model)
    assert type(model).__name__ == 'IGQDetector'
