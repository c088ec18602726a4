"""Quantizes a network of binary maps and reports its figures beside float.

CONFIG names the network, images to calibrate on and sets to evaluate, such as
CHAMELEON, CAMO, COD10K and NC4K; see docs/segmentation.md.
"""

import argparse
import sys
from functools import partial
from typing import TYPE_CHECKING

from igq_mmdet.commands.command import run_command
from igq_mmdet.commands.detector import (
    add_detector,
    add_images,
    add_run,
    add_seeds,
    at_root,
)
from igq_mmdet.commands.quantization import run_quantization, settings_of
from igq_mmdet.commands.quantization_options import (
    add_evaluation,
    add_setting,
    parse_checked,
)
from igq_mmdet.errors import SpecError

if TYPE_CHECKING:  # need mmengine, which --help does not
    from mmengine.config import Config

CALIB_IMAGES = 32


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_detector(parser)
    parser.add_argument(
        '--sets',
        type=lambda text: text.split(','),
        help='folders of the evaluated data_root, with commas between; each '
        "has figures of its own; default the config's",
    )
    add_setting(parser)
    for name in ('--include', '--exclude'):
        parser.add_argument(
            name, nargs='+', default=(), help='patterns of layer names'
        )
    add_images(parser, CALIB_IMAGES)
    add_seeds(parser)
    add_run(parser, 'work_dirs/ptq_segmentation', 'igq_report.json')
    add_evaluation(parser)
    # a map comes of one part, and its images have no fields
    parser.set_defaults(parts='detector', calib_where=[], calib_each=None)
    args = parse_checked(parser, argv)
    if args.config is None:
        parser.error('give CONFIG; docs/segmentation.md has one')
    return args


def use_sets(config: 'Config', sets: list[str] | None) -> None:
    """Names what is evaluated.

    Args:
        config (Config): It is changed.
        sets (list[str], optional): Folders of its ``data_root``.

    Raises:
        SpecError: It evaluates no MapDataset.
    """
    if sets is None:
        return
    dataset = (config.get('test_dataloader') or {}).get('dataset') or {}
    if not str(dataset.get('type')).endswith('MapDataset'):
        raise SpecError(
            '--sets: test_dataloader.dataset of the config is no MapDataset'
        )
    dataset['sets'] = sets


def run(args: argparse.Namespace) -> None:
    """Evaluates what was asked for and prints the table."""
    at_root(args, ('work_dir', 'save', 'load'))
    run_quantization(
        args, partial(settings_of, args), partial(use_sets, sets=args.sets)
    )


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
