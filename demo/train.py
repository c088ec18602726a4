"""Trains the demo's detector again, from nothing, with mmengine's Runner."""

import argparse
from pathlib import Path

import torch
from export_weights import export_weights
from mmengine.config import Config
from mmengine.runner import Runner
from spread_layernorm import spread_layernorm
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo'


def parse_args() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--work-dir', default='work_dirs/demo_train')
    parser.add_argument(
        '--out', help='safetensors file (in the work dir if not given)'
    )
    parser.add_argument(
        '--iters',
        nargs=2,
        type=int,
        metavar=('STAGE1', 'STAGE2'),
        help='iterations, if not those of the configs',
    )
    return parser.parse_args()


def train_stage(
    stage: int, args: argparse.Namespace, load_from: str | None = None
) -> nn.Module:
    """Run stage 1 or 2 and return the trained detector."""
    cfg = Config.fromfile(ROOT / f'{CONFIG}_stage{stage}.py')
    cfg.work_dir = str(Path(args.work_dir) / f'stage{stage}')
    cfg.load_from = load_from
    if args.iters:
        cfg.train_cfg.max_iters = args.iters[stage - 1]
    return Runner.from_cfg(cfg).train()


def main() -> None:
    """Train, spread the LayerNorm gains, train on, export."""
    args = parse_args()
    model = train_stage(1, args)
    spread_layernorm(model, std=0.7, seed=0)
    spread = Path(args.work_dir) / 'spread.pth'
    torch.save({'state_dict': model.state_dict()}, spread)
    model = train_stage(2, args, load_from=str(spread))
    out = args.out or Path(args.work_dir) / 'swin_mini_mask_rcnn.safetensors'
    export_weights(model.state_dict(), out, config=f'{CONFIG}.py')
    print(f'wrote {out}')


if __name__ == '__main__':
    main()
