"""Options that the command lines of classifiers share."""

import argparse
import os
import sys
from collections.abc import Callable

import torch

from ..classification.experiment import ClassifierExperiment
from ..errors import IGQError
from ..report import uncovered_lines
from ..report.classification import classification_table
from ..report.report_differences import difference_text
from ..spec import QuantSpec
from .compared import add_compared, check_reference, named_settings
from .custom_imports import add_custom_imports, import_custom
from .quantization_options import add_extensions


def add_options(parser: argparse.ArgumentParser, compare: str | None) -> None:
    """Adds what to quantize, how, and where the report goes.

    Args:
        parser (ArgumentParser): It is changed.
        compare (str, optional): Default of ``--compare``.
    """
    parser.add_argument(
        '--bits',
        nargs='+',
        default=['4/4'],
        metavar='W/A',
        help='widths of weights and activations, default 4/4',
    )
    parser.add_argument('--groups', type=int, default=12, help='default 12')
    parser.add_argument('--method', default='igq', help='default igq')
    add_extensions(parser, '--rounding')
    add_custom_imports(parser)
    add_compared(parser, compare)
    parser.add_argument('--include', nargs='+', default=(), help='patterns')
    parser.add_argument('--exclude', nargs='+', default=(), help='patterns')
    parser.add_argument('--calib-images', type=int, default=32)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--batch-size', type=int, default=64)
    parser.add_argument('--workers', type=int, default=0)
    parser.add_argument('--work-dir', default='work_dirs/imagenet')
    parser.add_argument('--save', help='write the quantized checkpoint here')
    parser.add_argument('--load', help='evaluate a quantized checkpoint')
    parser.add_argument('--skip-float', action='store_true')
    parser.add_argument('--threads', type=int, help='of torch')
    parser.add_argument('--quiet', action='store_true', help='only the table')


def settings(args: argparse.Namespace) -> list[QuantSpec]:
    """The settings that the options ask for."""
    widths = []
    for bits in args.bits:
        w_bits, slash, a_bits = bits.partition('/')
        if not (slash and w_bits.isdigit() and a_bits.isdigit()):
            raise IGQError(f'--bits: {bits!r} is not W/A, such as 4/4')
        widths.append((int(w_bits), int(a_bits)))
    specs = named_settings(
        args.compare or args.method,
        widths,
        args.groups,
        weights=args.rounding,
        ranges=args.ranges,
        include=args.include,
        exclude=args.exclude,
    )
    if args.save and len(specs) > 1:
        raise IGQError('--save writes one setting; leave --compare out')
    return specs


def run(
    args: argparse.Namespace,
    build: Callable[[], tuple[ClassifierExperiment, object]],
) -> None:
    """Evaluates what was asked for and prints the table.

    Args:
        args (Namespace): See :func:`add_options`.
        build (Callable): Makes the experiment and the ``Images`` that
            calibration draws from.
    """
    if args.threads:
        torch.set_num_threads(args.threads)
    import_custom(args)
    specs = settings(args)
    if args.reference is not None and not args.load:
        check_reference(args.reference, specs, not args.skip_float)
    experiment, images = build()
    if not args.skip_float:
        experiment.run_float()
    if args.load:
        experiment.run_checkpoint(args.load)
    else:
        experiment.run_settings(
            specs,
            images,  # type: ignore[arg-type]
            args.calib_images,
            args.seed,
            args.save,
        )
    experiment.add_differences(args.reference)
    path = experiment.write()
    print(classification_table(experiment.report.data))
    said = difference_text(experiment.report.data['differences'])
    if said:
        print(said)
    for line in uncovered_lines(experiment.report.data):
        print(line, file=sys.stderr)
    if args.save and not args.quiet:
        size, full = os.path.getsize(args.save), experiment.float_bytes
        print(f'{args.save}: {size} bytes, 1/{full / size:.2f} of float32')
    if not args.quiet:
        print(f'report: {path}')
