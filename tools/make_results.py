"""Makes docs/results.md and its picture from what tools/ablate.py wrote."""

import argparse
import json
import sys
from pathlib import Path

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command
from igq_mmdet.files.atomic import replacing
from igq_mmdet.report.ablations.plot import plot_groups
from igq_mmdet.report.ablations.results_page import results_page
from igq_mmdet.report.training_words import training_words

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = 'igq_mmdet.ablation/1'


def read(path: Path) -> dict:
    """Results of an ablation; errors name the file."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise igq.IGQError(f'{path}: cannot be read ({error})') from error
    if not isinstance(data, dict) or data.get('schema') != SCHEMA:
        raise igq.IGQError(f'{path}: not written by tools/ablate.py')
    return data


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'source',
        nargs='?',
        type=Path,
        default=ROOT / 'docs/data/ablation_demo.json',
        help='default docs/data/ablation_demo.json',
    )
    parser.add_argument('--page', type=Path, default=ROOT / 'docs/results.md')
    parser.add_argument(
        '--training',
        type=Path,
        help='work dir of the training, for weights that do not ship',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Writes the page, and the picture beside it in img/."""
    data, page, plot, training = read(args.source), args.page, None, None
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
