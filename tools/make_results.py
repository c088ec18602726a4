"""Makes docs/results.md and its picture from what tools/ablate.py wrote."""

import argparse
import json
import sys
from pathlib import Path

import igq_mmdet as igq
from igq_mmdet.atomic import replacing
from igq_mmdet.command import run_command
from igq_mmdet.report.ablation_plot import plot_groups
from igq_mmdet.report.results_page import results_page

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


def make(source: Path, page: Path) -> None:
    """Writes the page, and the picture beside it in img/.

    Args:
        source (Path): From tools/ablate.py.
        page (Path): The Markdown file to make.
    """
    data = read(source)
    plot = None
    if 'groups' in data['tables']:
        plot = f'img/{page.stem}_groups.svg'
        plot_groups(data, page.parent / plot)
    text = results_page(data, source.name, plot)
    page.parent.mkdir(parents=True, exist_ok=True)
    with replacing(page) as temporary:
        temporary.write_text(text)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'source',
        nargs='?',
        type=Path,
        default=ROOT / 'docs/data/ablation_demo.json',
        help='default docs/data/ablation_demo.json',
    )
    parser.add_argument('--page', type=Path, default=ROOT / 'docs/results.md')
    args = parser.parse_args(argv)
    return run_command(make, args.source, args.page)


if __name__ == '__main__':
    sys.exit(main())
