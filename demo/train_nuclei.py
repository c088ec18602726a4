"""Trains the detector of nuclei, from nothing, with mmengine's Runner."""

import argparse
from pathlib import Path

from export_weights import export_weights
from stages import add_arguments, train_stage

CONFIG = 'configs/nuclei/mask-rcnn_swin-mini_nuclei'


def parse_args() -> argparse.Namespace:
    """Return the command line's arguments."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_arguments(parser, 'work_dirs/nuclei_train')
    parser.add_argument(
        '--stage2',
        action='store_true',
        help='go on with a warm restart; the shipped weights are those of '
        'the first stage',
    )
    parser.add_argument(
        '--stage1',
        metavar='WEIGHTS',
        help='only the second stage, from what the first one gave',
    )
    return parser.parse_args()


def main() -> None:
    """Train one stage or two, export."""
    args = parse_args()
    work_dir, start = Path(args.work_dir), args.stage1
    out = args.out or work_dir / 'swin_mini_nuclei.safetensors'
    if start is None:
        model = train_stage(
            f'{CONFIG}_train.py',
            work_dir / 'stage1',
            iters=args.iters[0],
            resume=args.resume,
        )
        start = out
        export_weights(model.state_dict(), out, config=f'{CONFIG}.py')
    if args.stage2 or args.stage1:
        model = train_stage(
            f'{CONFIG}_train_stage2.py',
            work_dir / 'stage2',
            load_from=start,
            iters=args.iters[1],
            resume=args.resume,
        )
        export_weights(model.state_dict(), out, config=f'{CONFIG}.py')
    print(f'wrote {out}')


if __name__ == '__main__':
    main()
