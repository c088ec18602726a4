"""Detects on images with a quantized file, which is enough by itself.

Writes drawings and COCO results; with --float the float detector's beside.
"""

import argparse
import sys
from functools import partial

from igq_mmdet.commands.command import run_command
from igq_mmdet.errors import DataError, SpecError
from igq_mmdet.jobs.interruption import advising


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('quantized', help='from tools/ptq_coco.py --save')
    parser.add_argument(
        'images', nargs='+', help='image files, or folders of them'
    )
    parser.add_argument('--out', required=True, help='folder to write to')
    parser.add_argument(
        '--float',
        nargs=2,
        metavar=('CONFIG', 'CHECKPOINT'),
        help='draw the float detector beside',
    )
    parser.add_argument(
        '--runtime',
        default='simulated',
        choices=('simulated', 'integer'),
        help='integer: execute integer codes, on the CPU',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='draw scores above; the results have all. Default 0.3',
    )
    parser.add_argument(
        '--annotations',
        help='COCO file that lists the images: results take its numbers of '
        'images and classes',
    )
    parser.add_argument('--device', help='default a GPU if there is one')
    parser.add_argument('--threads', type=int, help='of torch')
    parser.add_argument('--quiet', action='store_true', help='no progress bar')
    args = parser.parse_args(argv)
    if args.runtime == 'integer' and args.device not in (None, 'cpu'):
        parser.error('--runtime integer runs on the CPU; leave --device out')
    return args


def run(args: argparse.Namespace) -> None:
    """Detects on what was asked for; unreadable images are named last."""
    with advising(
        f'what is done is kept in {args.out}, the same command goes on with it'
    ):
        _run(args)


def _run(args: argparse.Namespace) -> None:
    from igq_mmdet import load_detector, to_integer
    from igq_mmdet.detection.evaluation.runner import use_threads
    from igq_mmdet.detection.inference.coco_results import coco_ids
    from igq_mmdet.detection.inference.folder import InferenceFolder
    from igq_mmdet.detection.inference.input_images import find_images
    from igq_mmdet.detection.inference.load_detector import load_float_detector
    from igq_mmdet.detection.inference.predictor import Predictor
    from igq_mmdet.detection.models.config import load_config
    from igq_mmdet.jobs.progress import Progress
    from igq_mmdet.report import run_name

    if not 0 <= args.score_thr <= 1:
        raise SpecError(f'--score-thr: {args.score_thr} is not from 0 to 1')
    use_threads(args.threads)
    images = find_images(args.images)
    device = 'cpu' if args.runtime == 'integer' else args.device
    detector = load_detector(args.quantized, device)
    title = run_name(detector.igq_spec)
    if args.runtime == 'integer':
        detector = to_integer(detector)
    predictors = {'quantized': Predictor(detector, title)}
    classes = predictors['quantized'].classes
    if args.float:
        config, checkpoint = args.float
        full = load_float_detector(load_config(config), checkpoint, device)
        predictors = {'float': Predictor(full, 'float'), **predictors}
        if predictors['float'].classes != classes:
            raise SpecError(f'{config}: other classes than {args.quantized}')
    names = [image.name for image in images]
    ids = coco_ids(names, classes, args.annotations)
    folder = InferenceFolder(args.out, predictors, ids, args.score_thr)
    bar = partial(Progress, desc='inference', unit='image', disable=args.quiet)
    written = folder.run(images, bar)
    for line in folder.unreadable.values():
        print(line, file=sys.stderr)
    done, failed = len(images) - len(folder.unreadable), folder.unreadable
    print(f'{folder.path}: drawings of {done} images')
    for path in written:
        print(path)
    if failed:
        raise DataError(
            f'{len(failed)} of {len(images)} images cannot be read, first '
            f'{next(iter(failed))}'
        )


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
