"""Quantizes an mmdet detector and reports its AP beside float.

Without CONFIG it runs the demo that ships with the project.
"""

import argparse
import os
import sys
from typing import Any

import igq_mmdet as igq
from igq_mmdet.allocation.perturbation import CANDIDATES
from igq_mmdet.commands.command import run_command
from igq_mmdet.commands.compared import check_reference, named_settings
from igq_mmdet.commands.detector import (
    add_detector,
    add_draws,
    add_images,
    add_layers,
    add_run,
    at_root,
    draw_text,
    draws,
    layers_of,
    open_config,
    open_experiment,
)
from igq_mmdet.jobs.interruption import advising
from igq_mmdet.methods import METHODS, ROUNDINGS

DEMO_COMPARE = 'layerwise,igq:8,igq:12,upper_bound'
DEMO_BITS = ((4, 4), (6, 6), (8, 3))

OF_ALLOCATION = ('allocate_others', 'candidates')
# What a quantized checkpoint says of itself.
IN_FILE = (
    'w_bits',
    'a_bits',
    'groups',
    'method',
    'rounding',
    'parts',
    'include',
    'exclude',
    'calib_images',
    'calib_on_eval',
    'calib_where',
    'calib_each',
    'seed',
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_detector(parser)
    parser.add_argument('--w-bits', type=int, help='2 to 8, default 4')
    parser.add_argument('--a-bits', type=int, help='2 to 8, default 4')
    parser.add_argument('--groups', type=int, help='a layer, default 12')
    parser.add_argument(
        '--method',
        help=f'default igq; one of {", ".join(METHODS)}, or your own '
        '(docs/add_a_method.md)',
    )
    parser.add_argument(
        '--weights',
        '--rounding',
        dest='rounding',
        default='nearest',
        help=f'of weights: {", ".join(ROUNDINGS)} or your own',
    )
    add_layers(parser)
    add_images(parser)
    add_draws(parser)
    add_run(parser, 'work_dirs/ptq', 'igq_report.json')
    parser.add_argument(
        '--resume',
        action='store_true',
        help='go on with an interrupted run of the same arguments: what '
        'is finished in --work-dir is not computed again',
    )
    parser.add_argument(
        '--no-predictions',
        action='store_true',
        help='do not keep what is predicted on every image in --work-dir',
    )
    parser.add_argument('--save', help='write the quantized checkpoint here')
    parser.add_argument('--load', help='evaluate a quantized checkpoint')
    parser.add_argument('--skip-float', action='store_true')
    parser.add_argument(
        '--skip-sqnr',
        action='store_true',
        help='do not measure the noise of every layer, which takes a second '
        'pass over the calibration images',
    )
    parser.add_argument(
        '--dashboards',
        type=lambda text: text.split(','),
        help='tensorboard, mlflow, wandb (offline unless WANDB_MODE says '
        'otherwise) or local, with commas between; default what the '
        "config's visualizer names",
    )
    parser.add_argument(
        '--compare',
        help='settings to evaluate on the same calibration images, such as '
        + DEMO_COMPARE,
    )
    parser.add_argument(
        '--reference',
        help='what differences are to: float, or a setting such as layerwise '
        'or igq:8, at the same bits; default the first that is compared, and '
        'float for one alone',
    )
    parser.add_argument(
        '--allocate',
        action='store_true',
        help='evaluate every setting with groups again, allocated layer '
        'by layer under its BOPs; measurements are kept in --work-dir',
    )
    parser.add_argument(
        '--allocate-others',
        default='target',
        choices=('target', 'float'),
        help='what the other layers do while one is measured',
    )
    parser.add_argument(
        '--candidates',
        type=_numbers,
        help='numbers of groups to allocate, default '
        + ','.join(map(str, CANDIDATES)),
    )
    parser.add_argument(
        '--runtime',
        default='simulated',
        choices=('simulated', 'integer'),
        help='integer: evaluate on integer codes, every method but '
        'upper_bound',
    )
    parser.add_argument(
        '--launcher',
        default='none',
        choices=('none', 'pytorch', 'slurm', 'mpi'),
        help='what started this process beside others, see dist_ptq.sh',
    )
    parser.add_argument(
        '--calib-parallel',
        action='store_true',
        help='each process calibrates on a share of the images; the result '
        'is the same',
    )
    shown = parser.add_mutually_exclusive_group()
    shown.add_argument(
        '--show-progress',
        action='store_true',
        help='progress bars with time left; the default',
    )
    shown.add_argument('--quiet', action='store_true', help='only the table')
    args = parser.parse_args(argv)
    if args.load and (args.compare or args.save or args.reference):
        parser.error(
            '--load evaluates one file; leave --compare, --reference and '
            '--save'
        )
    if args.save and (len(args.seed) > 1 or args.compare or args.calib_each):
        parser.error(
            '--save writes one setting: one --seed, no --compare or '
            '--calib-each'
        )
    if args.resume and args.no_predictions:
        parser.error('--resume needs predictions; leave --no-predictions out')
    if args.method and args.compare:
        parser.error('--compare names the methods; leave --method out')
    if args.load and args.allocate:
        parser.error('--load evaluates one file; leave --allocate out')
    for refused, names, why in (
        (not args.allocate, OF_ALLOCATION, '{} needs --allocate'),
        (args.load, IN_FILE, '--load takes it from the file; leave {} out'),
    ):
        for name in names if refused else ():
            if getattr(args, name) != parser.get_default(name):
                parser.error(why.format('--' + name.replace('_', '-')))
    return args


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(item) for item in text.split(','))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f'{text!r} is not a list of numbers such as 4,8,12'
        ) from None


def settings(args: argparse.Namespace, demo: bool) -> list[igq.QuantSpec]:
    """The settings that the arguments ask for."""
    compare = args.compare
    bits: Any = ((args.w_bits or 4, args.a_bits or 4),)
    one = args.save or args.load or args.method or args.groups is not None
    if demo and compare is None and not one:
        compare = DEMO_COMPARE
        if args.w_bits is None and args.a_bits is None:
            bits = DEMO_BITS
    default_groups = 12 if args.groups is None else args.groups
    names = compare or args.method or 'igq'
    return named_settings(
        names,
        bits,
        default_groups,
        weights=args.rounding,
        **layers_of(args),
    )


def run(args: argparse.Namespace) -> None:
    """Evaluates what was asked for and prints the table."""
    with advising(
        f'finished work is kept in {args.work_dir}, --resume goes on with it'
    ):
        _run(args)


def _run(args: argparse.Namespace) -> None:
    from igq_mmdet.detection.models.config import check_writable
    from igq_mmdet.report import result_text, uncovered_lines

    demo = args.config is None
    at_root(args, ('work_dir', 'save', 'load'))
    if args.save:
        check_writable(args.save)
    config = open_config(args)
    specs = settings(args, demo)
    experiment = open_experiment(
        args, config, args.quiet, dashboards=args.dashboards
    )
    experiment.sqnr = not args.skip_sqnr
    experiment.integer = args.runtime == 'integer'
    experiment.calib_parallel = args.calib_parallel
    experiment.keep(args.resume, not args.no_predictions)
    with_float = bool(args.checkpoint) and not args.skip_float
    if args.reference is not None:  # shows before hours of evaluation
        check_reference(args.reference, specs, with_float, args.allocate)
    if args.load:
        experiment.run_checkpoint(args.load, with_float)
    else:
        options: dict[str, Any] | None = None
        if args.allocate:
            options = {'others': args.allocate_others}
            if args.candidates is not None:
                options['candidates'] = args.candidates
        # all are drawn first: a bad seed shows before hours of evaluation
        for images in draws(experiment, args):
            if not args.quiet:
                print(draw_text(images), flush=True)
            experiment.run_settings(
                specs, images, args.save, with_float, options
            )
            with_float = False
    experiment.add_differences(args.reference)
    path = experiment.write()
    if path is None:
        return
    print(result_text(experiment.report.data))
    for line in uncovered_lines(experiment.report.data):
        print(line, file=sys.stderr)
    if args.quiet:
        return
    if args.save:
        size, full = os.path.getsize(args.save), experiment.float_bytes
        print(f'{args.save}: {size} bytes, 1/{full / size:.2f} of float32')
    print(f'report: {path}')
    for line in experiment.dashboards.lines():
        print(f'dashboard: {line}')


def run_in_job(args: argparse.Namespace) -> None:
    """Runs, as one of several processes if a launcher says so."""
    if args.launcher == 'none':
        return run(args)
    from igq_mmdet.jobs.launch import processes

    with processes(args.launcher):
        run(args)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run_in_job, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
