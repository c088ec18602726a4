"""Makes docs/results.md, or the page of an ablation, from its results.

They are what tools/run_results.py or tools/ablate.py wrote; nothing is
evaluated.
"""

import argparse
import sys
from pathlib import Path

from igq_mmdet.commands.command import run_command
from igq_mmdet.files.atomic import replacing
from igq_mmdet.report.ablations.paper_page import write_page
from igq_mmdet.report.ablations.plot import plot_groups
from igq_mmdet.report.ablations.results_file import read_results
from igq_mmdet.report.ablations.results_page import results_page
from igq_mmdet.report.training_words import training_words

ROOT = Path(__file__).resolve().parents[1]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'source',
        nargs='?',
        type=Path,
        default=ROOT / 'docs/data/results_nuclei.json',
        help='default docs/data/results_nuclei.json',
    )
    parser.add_argument('--page', type=Path, default=ROOT / 'docs/results.md')
    parser.add_argument(
        '--demo',
        type=Path,
        default=ROOT / 'docs/data/ablation_demo.json',
        help='results of the demo, default docs/data/ablation_demo.json',
    )
    parser.add_argument(
        '--training',
        type=Path,
        help='work dir of the training, for weights that do not ship',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Writes the page, and the picture beside it in img/."""
    data, page = read_results(args.source), args.page
    if 'headline' in data['tables']:
        write_page(data, page, args.source, read_results(args.demo))
        return
    plot, training = None, None
    if 'groups' in data['tables']:
        plot = f'img/{page.stem}_groups.svg'
        plot_groups(data, page.parent / plot)
    if args.training is not None:
        rows = [row for t in data['tables'].values() for row in t['rows']]
        training = training_words(
            args.training,
            data['detector'],
            list(data['tables']),
            max(len(row['runs']) for row in rows),
            f'docs/{page.name}',
        )
    text = results_page(data, args.source.name, plot, training)
    page.parent.mkdir(parents=True, exist_ok=True)
    with replacing(page) as temporary:
        temporary.write_text(text)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
