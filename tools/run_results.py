"""Runs what docs/results.md says, in pieces, and writes that page.

It says first how many settings there are and how long they will take. What
is finished is kept in --work-dir and not evaluated again: after a stop, the
same command goes on.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command
from igq_mmdet.commands.detector import (
    ROOT,
    add_detector,
    add_run,
    at_root,
    open_config,
    open_experiment,
)
from igq_mmdet.errors import DataError
from igq_mmdet.jobs.interruption import advising

DETECTOR = 'configs/nuclei/mask-rcnn_swin-mini_nuclei.py'
# in the order in which they are run
PIECES = ('headline', 'rounding', 'images', 'kinds', 'allocation', 'bits')


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_detector(parser)
    parser.add_argument(
        '--pieces',
        nargs='+',
        choices=PIECES,
        default=PIECES,
        metavar='PIECE',
        help=f'what to run now, default all: {" ".join(PIECES)}',
    )
    parser.add_argument(
        '--seeds', type=int, default=5, help='at most, default 5'
    )
    parser.add_argument(
        '--at-most', type=int, help='settings to run now, default all'
    )
    parser.add_argument(
        '--data',
        default='docs/data/results_nuclei.json',
        help='results to write, default docs/data/results_nuclei.json',
    )
    parser.add_argument(
        '--page',
        default='docs/results.md',
        help='to write, default docs/results.md',
    )
    parser.add_argument(
        '--demo',
        default='docs/data/ablation_demo.json',
        help='results of the demo, default docs/data/ablation_demo.json',
    )
    add_run(parser, 'work_dirs/results', 'results-*.jsonl')
    parser.add_argument('--quiet', action='store_true', help='no progress')
    args = parser.parse_args(argv)
    if args.seeds < 1:
        parser.error('--seeds must be at least 1')
    if args.at_most is not None and args.at_most < 0:
        parser.error('--at-most must be at least 0')
    return args


def run(args: argparse.Namespace) -> None:
    """Evaluates what is not finished; the page grows with each setting."""
    paths = ('work_dir', 'data', 'page', 'demo')
    if args.config is None:
        os.chdir(ROOT)
        args.config = DETECTOR
    at_root(args, paths)
    with advising(
        f'finished settings are kept in {args.work_dir}; the same command '
        'goes on'
    ):
        _run(args)


def _run(args: argparse.Namespace) -> None:
    from igq_mmdet.jobs.progress import Progress
    from igq_mmdet.report.ablations.paper_page import write_page
    from igq_mmdet.report.ablations.results_file import (
        read_results,
        write_results,
    )
    from igq_mmdet.studies.ablation import Ablation
    from igq_mmdet.studies.results_pieces import pieces
    from igq_mmdet.studies.time_left import hours, seconds_left

    detector = Path(args.config).stem
    before = None
    if os.path.exists(args.data):  # never another detector's
        before = read_results(args.data, detector)
    demo = read_results(args.demo)
    experiment = open_experiment(args, open_config(args), quiet=True)
    ablation = Ablation(
        experiment,
        args.work_dir,
        igq.QuantSpec(groups=8),
        [],
        args.seeds,
        by_table=True,
    )
    every = pieces()
    chosen = {name: every[name] for name in every if name in args.pieces}
    images = len(experiment.runner.test_loop.dataloader.dataset)
    if before is not None and before['images'] != images:
        raise DataError(
            f'{args.data}: results on {before["images"]} images, not on '
            f'{images}; name another file with --data, and --page'
        )

    def write() -> None:
        data = ablation.data(every)
        data['detector'], data['images'] = detector, images
        write_results(data, args.data)
        write_page(data, args.page, args.data, demo)

    def say(text: str) -> None:
        if not args.quiet:
            print(text, flush=True)

    left = ablation.left(chosen)
    done = [
        ablation.results[job.key]
        for job in ablation.jobs(every)
        if job.key in ablation.results
    ]
    counts = {
        name: len(ablation.jobs({name: chosen[name]})) for name in chosen
    }
    say(
        f'{len(ablation.jobs(chosen))} settings on {images} images: '
        + ', '.join(f'{name} {count}' for name, count in counts.items())
        + '; a setting that stands in two is run once'
    )
    if args.at_most is not None:
        left = left[: args.at_most]
    seconds = seconds_left(left, done, images)
    say(f'{len(left)} of them to run now, about {hours(seconds)}')

    def bar(jobs: Any) -> Iterator[Any]:
        told: Iterable[Any] = Progress(
            jobs[: args.at_most],
            desc='results',
            unit='setting',
            disable=args.quiet,
        )
        for job in told:
            yield job
            write()  # it is finished when the next one is asked for

    ablation.run(chosen, bar)
    write()
    say(f'results: {args.data}\npage: {args.page}')


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
