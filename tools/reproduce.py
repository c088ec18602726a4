"""Measures one row of docs/checkpoints.md and adds it to a results file.

A row is a COCO preset, such as mask-rcnn_swin-t_coco_w4a4_g12; --list shows
all of them.
"""

import argparse
import os
import sys
from pathlib import Path

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('row', nargs='?', help='name of a COCO preset')
    parser.add_argument('--list', action='store_true', help='show all rows')
    parser.add_argument(
        '--coco', help='folder of annotations/, train2017/ and val2017/'
    )
    parser.add_argument(
        '--checkpoint', help='float weights of mmdet, or converted ones'
    )
    parser.add_argument(
        '--results',
        default='reproduce.jsonl',
        help='JSON lines to add the row to, default %(default)s',
    )
    parser.add_argument(
        '--work-dir', help='for the report, default work_dirs/ROW'
    )
    parser.add_argument(
        '--calib-images', type=int, default=1, help='how many, default 1'
    )
    parser.add_argument('--seed', type=int, default=0, help='of the images')
    parser.add_argument('--skip-float', action='store_true')
    parser.add_argument(
        '--cfg-options', nargs='+', default=[], help='key=value, as in mmdet'
    )
    parser.add_argument('--threads', type=int, help='of torch')
    parser.add_argument('--quiet', action='store_true', help='only the table')
    args = parser.parse_args(argv)
    if not args.list and not (args.row and args.coco and args.checkpoint):
        parser.error('give ROW, --coco and --checkpoint; or --list')
    return args


def run(args: argparse.Namespace) -> None:
    """Measures what was asked for."""
    from igq_mmdet.detection.evaluation.runner import use_threads
    from igq_mmdet.detection.models.config import check_writable, load_config
    from igq_mmdet.report import result_table
    from igq_mmdet.report.measured_rows import append_row
    from igq_mmdet.studies.reproduce import (
        find_row,
        find_rows,
        measure_row,
        use_coco,
    )

    if args.list:
        print('\n'.join(find_rows(CONFIGS)))
        return
    preset = find_row(CONFIGS, args.row)
    if not os.path.isfile(args.checkpoint):
        raise igq.IGQError(
            f'{args.checkpoint}: no such checkpoint; docs/checkpoints.md '
            'says where it is'
        )
    check_writable(args.results)
    use_threads(args.threads)
    config = load_config(str(preset), args.cfg_options)
    use_coco(config, args.coco)
    row, report = measure_row(
        args.row,
        config,
        args.checkpoint,
        args.work_dir or os.path.join('work_dirs', args.row),
        args.calib_images,
        args.seed,
        not args.skip_float,
        args.quiet,
    )
    append_row(args.results, row)
    print(result_table(report))
    print(f'added to {args.results}')


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
