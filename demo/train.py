"""Trains the demo's detector again, from nothing, with mmengine's Runner."""

import argparse
from pathlib import Path

import torch
from export_weights import export_weights
from spread_layernorm import spread_layernorm
from stages import add_arguments, train_stage

CONFIG = 'configs/demo/mask-rcnn_swin-mini_demo'


def parse_args() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'work_dirs/demo_train')
    return parser.parse_args()


def main() -> None:
    """Train, spread the LayerNorm gains, train on, export."""
    args = parse_args()
    work_dir = Path(args.work_dir)
    model = train_stage(
        f'{CONFIG}_stage1.py',
        work_dir / 'stage1',
        iters=args.iters[0],
        resume=args.resume,
    )
    spread_layernorm(model, std=0.7, seed=0)
    spread = work_dir / 'spread.pth'
    torch.save({'state_dict': model.state_dict()}, spread)
    model = train_stage(
        f'{CONFIG}_stage2.py',
        work_dir / 'stage2',
        load_from=spread,
        iters=args.iters[1],
        resume=args.resume,
    )
    out = args.out or work_dir / 'swin_mini_mask_rcnn.safetensors'
    export_weights(model.state_dict(), out, config=f'{CONFIG}.py')
    print(f'wrote {out}')


if __name__ == '__main__':
    main()
