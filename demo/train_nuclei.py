"""Trains the detector of nuclei, with mmengine's Runner.

From nothing in two stages, or the second alone from the first one's weights.
"""

import argparse
from pathlib import Path

import torch
from export_weights import export_weights
from stages import add_arguments, train_stage

CONFIG = 'configs/nuclei/mask-rcnn_swin-mini_nuclei'


def parse_args() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser, 'work_dirs/nuclei_train')
    parser.add_argument(
        '--stage1', help='weights to begin the second stage with'
    )
    return parser.parse_args()


def main() -> None:
    """Train both stages, export."""
    args = parse_args()
    work_dir, start = Path(args.work_dir), args.stage1
    if start is None:
        model = train_stage(
            f'{CONFIG}_train.py',
            work_dir / 'stage1',
            iters=args.iters[0],
            resume=args.resume,
        )
        start = work_dir / 'stage1.pth'
        torch.save({'state_dict': model.state_dict()}, start)
    model = train_stage(
        f'{CONFIG}_train_stage2.py',
        work_dir / 'stage2',
        load_from=start,
        iters=args.iters[1],
        resume=args.resume,
    )
    out = args.out or work_dir / 'swin_mini_nuclei.safetensors'
    export_weights(model.state_dict(), out, config=f'{CONFIG}.py')
    print(f'wrote {out}')


if __name__ == '__main__':
    main()
