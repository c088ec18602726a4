"""The demo's detector: its shipped weights and how they are made again."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

pytest.importorskip('mmdet')

from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

ROOT = Path(__file__).resolve().parents[2]
CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo.py'
WEIGHTS = ROOT / 'demo/swin_mini_mask_rcnn.safetensors'


def build_detector():
    cfg = Config.fromfile(ROOT / CONFIG)
    init_default_scope('mmdet')
    return MODELS.build(cfg.model).eval()


def test_weights_fit_the_config():
    build_detector().load_state_dict(load_file(WEIGHTS), strict=True)
    assert WEIGHTS.stat().st_size < 12e6
    with safe_open(WEIGHTS, 'pt') as file:
        assert file.metadata()['config'] == CONFIG


def test_spreading_keeps_the_function(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'demo'))
    from spread_layernorm import spread_layernorm

    detector = build_detector()
    detector.load_state_dict(load_file(WEIGHTS))
    detector.double()
    generator = torch.Generator().manual_seed(0)
    # 100 is no multiple of the window: some windows are padded.
    image = torch.randn(1, 3, 100, 132, generator=generator).double()
    rois = torch.tensor([[0, 4.0, 4.0, 70.0, 90.0], [0, 9, 9, 99, 50]])

    def outputs():
        with torch.no_grad():
            features = detector.extract_feat(image)
            head = detector.roi_head
            box = head._bbox_forward(features, rois.double())
        return [*features, box['cls_score'], box['bbox_pred']]

    block = detector.backbone.stages[2].blocks[0]
    before, norm = outputs(), block.norm1.weight.detach().clone()
    value = block.attn.w_msa.qkv.bias.detach().clone()
    spread_layernorm(detector, std=0.7, seed=0)

    for old, new in zip(before, outputs(), strict=True):
        torch.testing.assert_close(new, old, rtol=1e-9, atol=1e-9)
    factors = block.norm1.weight / norm
    assert 0.5 < factors.log().std() < 0.9
    changed = block.attn.w_msa.qkv.bias != value
    width = len(value) // 3
    assert not changed[: 2 * width].any() and changed[2 * width :].all()


@pytest.mark.parametrize('bad', [float('nan'), 1e6])
def test_export_refuses_what_fp16_cannot_hold(bad, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / 'demo'))
    from export_weights import export_weights

    out = tmp_path / 'w.safetensors'
    state = {'good': torch.ones(2), 'fc.weight': torch.tensor([bad])}
    with pytest.raises(ValueError, match='fc.weight'):
        export_weights(state, out, CONFIG)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_two_iterations_of_training(tmp_path):
    out = tmp_path / 'weights.safetensors'
    subprocess.run(
        [sys.executable, 'demo/train.py', '--iters', '2', '2']
        + ['--work-dir', str(tmp_path), '--out', str(out)],
        cwd=ROOT,
        env=os.environ | {'OMP_NUM_THREADS': '2'},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    trained = load_file(out)
    build_detector().load_state_dict(trained, strict=True)
    spread = torch.load(tmp_path / 'spread.pth', weights_only=True)
    name = 'backbone.stages.0.blocks.0.norm1.weight'
    start = spread['state_dict'][name]
    # Stage 2 began at the spread weights, and moved them only a little.
    assert not torch.equal(trained[name].float(), start.half().float())
    torch.testing.assert_close(trained[name].float(), start, rtol=0, atol=0.02)
    assert start.log().std() > 0.4
