"""Options of the command lines that quantize what a config names."""

import argparse
from typing import Any

from ..allocation.perturbation import CANDIDATES
from ..methods import METHODS, ROUNDINGS
from ..spec import RANGES
from .compared import add_compared

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
    add_extensions(parser, '--weights', '--rounding')


def add_extensions(parser: argparse.ArgumentParser, *rounding: str) -> None:
    """Adds how weights are rounded and what ranges are fitted to.

    Args:
        parser (ArgumentParser): It is changed.
        *rounding (str): Flags of the first; ``args.rounding`` has it.
    """
    parser.add_argument(
        *rounding,
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
    add_compared(parser)
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
