"""Which layer of a detector costs how much when only it is quantized.

Without CONFIG it takes the demo. What is finished is kept in
--work-dir and not measured again.
"""

import argparse
import importlib.util
import sys
from typing import Any

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command
from igq_mmdet.commands.detector import (
    add_detector,
    add_images,
    add_layers,
    add_run,
    at_root,
    open_config,
    open_experiment,
    setting_of,
)


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add_detector(parser)
    parser.add_argument('--w-bits', type=int, default=4, help='default 4')
    parser.add_argument('--a-bits', type=int, default=4, help='default 4')
    parser.add_argument('--groups', type=int, default=8, help='default 8')
    parser.add_argument('--method', default='igq', help='default igq')
    add_layers(parser)
    parser.add_argument(
        '--ap',
        nargs='?',
        const='parts',
        choices=('parts', 'layers'),
        help='also evaluate, with only one part and kind quantized, or only '
        'one layer and kind, which takes long',
    )
    add_images(parser)
    parser.add_argument('--seed', type=int, default=0, help='of the images')
    parser.add_argument(
        '--top', type=int, default=20, help='lines to print, default 20'
    )
    files = 'sensitivity.csv, .json and .png'
    add_run(parser, 'work_dirs/sensitivity', files)
    parser.add_argument('--quiet', action='store_true', help='only tables')
    args = parser.parse_args(argv)
    return args


def run(args: argparse.Namespace) -> None:
    """Measures and prints the tables."""
    from igq_mmdet.detection.calibration.ptq import DetectorCalibration
    from igq_mmdet.jobs.progress import Progress
    from igq_mmdet.report import sensitivity as report
    from igq_mmdet.studies.sensitivity import ap_alone, detector_sensitivity

    if importlib.util.find_spec('matplotlib') is None:
        raise igq.IGQError('the plot needs matplotlib: pip install matplotlib')
    at_root(args)
    config = open_config(args)
    spec = setting_of(args)
    experiment = open_experiment(args, config, args.quiet)
    images = experiment.images(
        args.calib_images, args.seed, args.calib_on_eval
    )

    def bar(jobs: Any, unit: str = 'item') -> Any:
        return Progress(
            jobs, desc='sensitivity', unit=unit, disable=args.quiet
        )

    calibration = DetectorCalibration(experiment.detector, images, [spec])
    found = detector_sensitivity(calibration, spec, args.work_dir, bar)
    rows = [one.to_dict() for one in found]
    data: dict[str, Any] = {
        'spec': spec.to_dict(),
        'calibration': {
            'image_ids': list(images.image_ids),
            'seed': images.seed,
            'evaluation_images': list(images.evaluated),
        },
        'rows': rows,
        'ap': None,
    }
    if args.ap:
        data['ap'] = ap_alone(experiment, calibration, spec, args.ap)
    paths = report.write_sensitivity(data, args.work_dir)
    print(report.sensitivity_table(rows, args.top))
    print()
    print(report.totals_table(rows))
    if args.ap:
        print()
        print(report.ap_table(data['ap']))
    if not args.quiet:
        print('written:', ', '.join(map(str, paths)))


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
