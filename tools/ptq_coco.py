"""Quantizes an mmdet detector and reports its AP beside float.

Without CONFIG it runs the demo that ships with the project.
"""

import argparse
import sys
from functools import partial

from igq_mmdet.commands.command import run_command
from igq_mmdet.commands.compared import COMPARE
from igq_mmdet.commands.detector import (
    add_detector,
    add_draws,
    add_images,
    add_layers,
    add_run,
    at_root,
)
from igq_mmdet.commands.quantization import run_quantization, settings_of
from igq_mmdet.commands.quantization_options import (
    add_evaluation,
    add_setting,
    parse_checked,
)

DEMO_BITS = ((4, 4), (6, 6), (8, 3))


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_detector(parser)
    add_setting(parser)
    add_layers(parser)
    add_images(parser)
    add_draws(parser)
    add_run(parser, 'work_dirs/ptq', 'igq_report.json')
    add_evaluation(parser)
    return parse_checked(parser, argv)


def run(args: argparse.Namespace) -> None:
    """Evaluates what was asked for and prints the table."""
    demo = (COMPARE, DEMO_BITS) if args.config is None else ()
    at_root(args, ('work_dir', 'save', 'load'))
    run_quantization(args, partial(settings_of, args, *demo))


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
