"""Evaluates the paper's ablations on a detector and prints their tables.

Without CONFIG it takes the demo. What is finished is kept in
--work-dir and not evaluated again.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command
from igq_mmdet.commands.detector import (
    add_detector,
    add_images,
    add_run,
    at_root,
    open_config,
    open_experiment,
)

TABLES = (
    'short',
    'targets',
    'methods',
    'allocation',
    'groups',
    'decisions',
    'images',
)


def bits(text: str) -> tuple[int, int]:
    """``4/4`` to (4, 4)."""
    one, sign, other = text.partition('/')
    if not (sign and one.isdigit() and other.isdigit()):
        raise argparse.ArgumentTypeError(f'{text!r} is not like 4/4')
    return int(one), int(other)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_detector(parser)
    parser.add_argument(
        '--bits',
        type=bits,
        nargs='+',
        default=[(4, 4), (8, 3)],
        help='of weights/activations, default 4/4 8/3',
    )
    parser.add_argument('--groups', type=int, default=8, help='default 8')
    parser.add_argument(
        '--seeds', type=int, default=5, help='how many, default 5'
    )
    parser.add_argument(
        '--tables', nargs='+', choices=TABLES, default=TABLES, metavar='TABLE'
    )
    parser.add_argument(
        '--images',
        type=int,
        nargs='+',
        default=(1, 4, 8),
        help='numbers of calibration images to compare, default 1 4 8',
    )
    parser.add_argument('--parts', default='detector', help='see ptq_coco.py')
    add_images(parser, how_many=None)
    add_run(parser, 'work_dirs/ablate', 'ablation.json')
    parser.add_argument('--quiet', action='store_true', help='only tables')
    args = parser.parse_args(argv)
    if args.seeds < 1:
        parser.error('--seeds must be at least 1')
    return args


def run(args: argparse.Namespace) -> None:
    """Evaluates what is not finished, prints and writes everything."""

    from igq_mmdet.jobs.progress import Progress
    from igq_mmdet.report.ablations.results_file import write_results
    from igq_mmdet.report.ablations.words import ablation_text
    from igq_mmdet.studies.ablation import Ablation, tables

    base = igq.QuantSpec(groups=args.groups, parts=args.parts)
    at_root(args)
    experiment = open_experiment(args, open_config(args), quiet=True)
    ablation = Ablation(
        experiment,
        args.work_dir,
        base,
        args.bits,
        args.seeds,
        args.calib_on_eval,
    )
    chosen = {
        name: table
        for name, table in tables(args.images).items()
        if name in args.tables
    }

    def bar(jobs: Any) -> Any:
        return Progress(
            jobs, desc='ablation', unit='setting', disable=args.quiet
        )

    data = ablation.run(chosen, bar)
    data['detector'] = Path(args.config).stem
    path = Path(args.work_dir) / 'ablation.json'
    write_results(data, path)
    print(ablation_text(data))
    if not args.quiet:
        print(f'results: {path}')


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
