"""What the command lines share that quantize what a config names."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..allocation.perturbation import CANDIDATES
from ..jobs.interruption import advising
from ..methods import METHODS, ROUNDINGS
from ..report import result_text, uncovered_lines
from ..spec import RANGES, QuantSpec
from .compared import check_reference, named_settings
from .detector import (
    draw_text,
    draws,
    layers_of,
    open_config,
    open_experiment,
)

if TYPE_CHECKING:  # need mmdet, which --help does not
    from mmengine.config import Config

COMPARE = 'layerwise,igq:8,igq:12,upper_bound'
# What measured best, as defaults of other options. Extensions of the paper's
# method: its own default stays what --preset is not given for.
PRESETS: dict[str, dict[str, Any]] = {
    'best': {'rounding': 'ridge+gptq', 'calib_images': 8},
}
OF_ALLOCATION = ('allocate_others', 'candidates')
# What a quantized checkpoint says of itself.
IN_FILE = (
    'w_bits',
    'a_bits',
    'groups',
    'method',
    'preset',
    'rounding',
    'ranges',
    'parts',
    'include',
    'exclude',
    'calib_images',
    'calib_on_eval',
    'calib_where',
    'calib_each',
    'seed',
)


def add_setting(parser: argparse.ArgumentParser) -> None:
    """Adds one setting: bits, groups, method, rounding and ranges."""
    parser.add_argument(
        '--preset',
        choices=PRESETS,
        help='best: --weights ridge+gptq --calib-images 8 unless said '
        'otherwise (docs/rounding.md)',
    )
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
    parser.add_argument(
        '--ranges',
        default='mean',
        choices=RANGES,
        help='of groups: the mean of their members (the paper) or fitted to '
        'the error expected at these bits',
    )


def add_evaluation(parser: argparse.ArgumentParser) -> None:
    """Adds what is evaluated, how, and what is kept and shown of it."""
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
        + COMPARE,
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


def parse_checked(
    parser: argparse.ArgumentParser, argv: list[str] | None = None
) -> argparse.Namespace:
    """Parses, and refuses options that do not go together.

    Args:
        parser (ArgumentParser): With what this file and ``detector`` add.
        argv (list[str], optional): Defaults to the process's own.
    """
    args = parser.parse_args(argv)
    if args.preset:
        parser.set_defaults(**PRESETS[args.preset])
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


def settings_of(
    args: argparse.Namespace,
    compare: str | None = None,
    bits: Sequence[tuple[int, int]] = (),
) -> list[QuantSpec]:
    """The settings that the arguments ask for.

    Args:
        args (Namespace): From :func:`parse_checked`.
        compare (str, optional): Where they name none.
        bits (Sequence[tuple[int, int]]): Where they name none.
    """
    one = args.save or args.load or args.method or args.groups is not None
    names = args.compare
    pairs: Sequence[tuple[int, int]] = ((args.w_bits or 4, args.a_bits or 4),)
    if names is None and not one:
        names = compare
        if bits and args.w_bits is None and args.a_bits is None:
            pairs = bits
    return named_settings(
        names or args.method or 'igq',
        pairs,
        12 if args.groups is None else args.groups,
        weights=args.rounding,
        ranges=args.ranges,
        **layers_of(args),
    )


def run_quantization(
    args: argparse.Namespace,
    settings: Callable[[], list[QuantSpec]],
    change: Callable[['Config'], None] | None = None,
) -> None:
    """Evaluates what was asked for and prints the table.

    Args:
        args (Namespace): From :func:`parse_checked`, after
            :func:`at_root`.
        settings (Callable): Gives what to evaluate; may name what the
            config imports.
        change (Callable, optional): Of the config.
    """

    def in_job() -> None:
        with advising(
            f'finished work is kept in {args.work_dir}, --resume goes on '
            'with it'
        ):
            _run(args, settings, change)

    if args.launcher == 'none':
        return in_job()
    from ..jobs.launch import processes

    with processes(args.launcher):
        in_job()


def _run(
    args: argparse.Namespace,
    settings: Callable[[], list[QuantSpec]],
    change: Callable[['Config'], None] | None,
) -> None:
    from ..detection.models.config import check_writable

    if args.save:
        check_writable(args.save)
    config = open_config(args)
    if change is not None:
        change(config)
    specs = settings()
    experiment = open_experiment(
        args, config, args.quiet, dashboards=args.dashboards
    )
    experiment.sqnr = not args.skip_sqnr
    experiment.integer = args.runtime == 'integer'
    experiment.calib_parallel = args.calib_parallel
    experiment.keep(args.resume, not args.no_predictions)
    with_float = experiment.has_weights and not args.skip_float
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
