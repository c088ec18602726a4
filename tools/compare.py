"""Compares the reports of many runs: a table, and one page to open.

Writes compare.html, compare.md and compare.csv. The page needs no network.
"""

import argparse
import importlib.util
import sys
from pathlib import Path
from typing import Any

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command
from igq_mmdet.commands.custom_imports import (
    add_custom_imports,
    import_custom,
)
from igq_mmdet.files.atomic import replacing
from igq_mmdet.jobs.progress import Progress
from igq_mmdet.report.compare import (
    Cohort,
    Gallery,
    add_differences,
    collect,
    csv_text,
    markdown_text,
    page,
    report_files,
    terminal_text,
)

NO_MMDET = 'mmdet is not installed: the page comes without images'


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'dirs',
        nargs='+',
        metavar='DIR',
        help='work dirs, folders of work dirs, or igq_report.json files',
    )
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('work_dirs/compare'),
        help='folder to write to, default work_dirs/compare',
    )
    parser.add_argument(
        '--images',
        type=int,
        default=6,
        help='worst images to draw of each setting, default 6; 0 draws none',
    )
    parser.add_argument(
        '--data-root', help='where the images lie, if they were moved'
    )
    add_custom_imports(parser)
    parser.add_argument(
        '--reference',
        help='what differences are to: float, a setting as the table names '
        'it, or a method such as igq:8, at the same bits; default the first '
        'of the same bits, and float for one alone',
    )
    parser.add_argument('--quiet', action='store_true', help='no progress')
    args = parser.parse_args(argv)
    if args.images < 0:
        parser.error(f'--images must be at least 0, got {args.images}')
    return args


def galleries(
    cohorts: list[Cohort], args: argparse.Namespace
) -> dict[int, Gallery]:
    """Images for the page, where there is something to draw."""
    if args.images == 0:
        return {}
    if importlib.util.find_spec('mmdet') is None:
        print(NO_MMDET, file=sys.stderr)
        return {
            number: Gallery(notes=[NO_MMDET]) for number in range(len(cohorts))
        }
    from igq_mmdet.detection.evaluation.drawings import gallery

    def bar(jobs):
        return Progress(jobs, desc='drawing', unit='image', disable=args.quiet)

    return {
        number: gallery(cohort, args.images, args.data_root, bar)
        for number, cohort in enumerate(cohorts)
    }


def run(args: argparse.Namespace) -> None:
    """Reads, prints and writes."""
    import_custom(args)
    cohorts = collect(report_files(args.dirs))

    def bar(jobs: Any) -> Any:
        return Progress(
            jobs, desc='differences', unit='run', delay=1, disable=args.quiet
        )

    add_differences(cohorts, args.reference, bar)
    print(terminal_text(cohorts), flush=True)
    try:
        args.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise igq.IGQError(f'{args.out}: {error.strerror}') from error
    texts = {
        'compare.md': markdown_text(cohorts),
        'compare.csv': csv_text(cohorts),
        'compare.html': page(cohorts, galleries(cohorts, args)),
    }
    for name, text in texts.items():
        with replacing(args.out / name) as temporary:
            temporary.write_text(text, encoding='utf-8')
    if not args.quiet:
        print(f'\npage: {args.out / "compare.html"}')


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
