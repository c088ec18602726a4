"""What the command lines share that quantize what a config names."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ..jobs.interruption import advising
from ..report import result_text, uncovered_lines
from ..spec import QuantSpec
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
