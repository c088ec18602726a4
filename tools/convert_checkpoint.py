"""Turns a checkpoint of Swin-Transformer-Object-Detection into an mmdet one.

CONFIG is the mmdet 3.x config of the same detector; docs/checkpoints.md
pairs every published file with its config.
"""

import argparse
import sys

from igq_mmdet.commands.command import run_command


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='an mmdet 3.x config')
    parser.add_argument('source', help='file or address of the original')
    parser.add_argument('target', help='.pth file to write')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='key=value, as in mmdet'
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Converts what was asked for."""
    from mmdet.registry import MODELS

    from igq_mmdet.detection.models.config import check_writable, load_config
    from igq_mmdet.detection.models.convert_swin import convert_file

    check_writable(args.target)
    config = load_config(args.config, args.cfg_options)
    detector = MODELS.build(config.model)
    count = convert_file(args.source, args.target, detector, args.config)
    print(f'{args.target}: {count} tensors')


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
