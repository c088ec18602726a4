"""Which layer of a detector costs how much when only it is quantized.

Without CONFIG and CHECKPOINT it takes the demo. What is finished is kept in
--work-dir and not measured again.
"""

import argparse
import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command

ROOT = Path(__file__).resolve().parents[1]
DEMO_CONFIG = ROOT / 'configs/demo/mask-rcnn_swin-mini_demo.py'
DEMO_CHECKPOINT = ROOT / 'demo/swin_mini_mask_rcnn.safetensors'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', nargs='?', help='an mmdet 3.x config')
    parser.add_argument('checkpoint', nargs='?', help='its float weights')
    parser.add_argument('--w-bits', type=int, default=4, help='default 4')
    parser.add_argument('--a-bits', type=int, default=4, help='default 4')
    parser.add_argument('--groups', type=int, default=8, help='default 8')
    parser.add_argument('--method', default='igq', help='default igq')
    parser.add_argument(
        '--parts', default='detector', help='as in ptq_coco.py'
    )
    parser.add_argument(
        '--include', nargs='+', default=(), help='patterns of layer names'
    )
    parser.add_argument(
        '--exclude', nargs='+', default=(), help='patterns of layer names'
    )
    parser.add_argument(
        '--ap',
        nargs='?',
        const='parts',
        choices=('parts', 'layers'),
        help='also evaluate, with only one part and kind quantized, or only '
        'one layer and kind, which takes long',
    )
    parser.add_argument(
        '--calib-images', type=int, default=1, help='how many, default 1'
    )
    parser.add_argument(
        '--calib-on-eval',
        action='store_true',
        help='allow calibration images that are evaluated on',
    )
    parser.add_argument('--seed', type=int, default=0, help='of the images')
    parser.add_argument(
        '--top', type=int, default=20, help='lines to print, default 20'
    )
    parser.add_argument(
        '--work-dir',
        default='work_dirs/sensitivity',
        help='for sensitivity.csv, .json and .png',
    )
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='key=value, as in mmdet'
    )
    parser.add_argument('--threads', type=int, help='of torch')
    parser.add_argument('--quiet', action='store_true', help='only tables')
    args = parser.parse_args(argv)
    if args.config and not args.checkpoint:
        parser.error('CONFIG needs a CHECKPOINT')
    return args


def run(args: argparse.Namespace) -> None:
    """Measures and prints the tables."""
    from igq_mmdet.detection.calibration.ptq import DetectorCalibration
    from igq_mmdet.detection.evaluation.runner import use_threads
    from igq_mmdet.detection.models.config import load_config
    from igq_mmdet.jobs.progress import Progress
    from igq_mmdet.report import sensitivity as report
    from igq_mmdet.studies.experiment import Experiment
    from igq_mmdet.studies.sensitivity import ap_alone, detector_sensitivity

    if importlib.util.find_spec('matplotlib') is None:
        raise igq.IGQError('the plot needs matplotlib: pip install matplotlib')
    spec = igq.QuantSpec(
        w_bits=args.w_bits,
        a_bits=args.a_bits,
        groups=args.groups,
        method=args.method,
        parts=args.parts,
        include=args.include,
        exclude=args.exclude,
    )
    for name in ('work_dir', 'checkpoint', 'config'):
        if getattr(args, name) and '://' not in getattr(args, name):
            setattr(args, name, os.path.abspath(getattr(args, name)))
    if args.config is None:
        os.chdir(ROOT)  # the demo's paths are relative to the project
        args.config, args.checkpoint = str(DEMO_CONFIG), str(DEMO_CHECKPOINT)
    use_threads(args.threads)
    config = load_config(args.config, args.cfg_options)
    experiment = Experiment(config, args.work_dir, args.quiet)
    experiment.load_float(args.checkpoint)
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
