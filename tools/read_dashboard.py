"""Prints float and quantized AP as a dashboard has them.

python tools/read_dashboard.py tensorboard work_dirs/ptq
"""

import argparse
import sys

from igq_mmdet.commands.command import run_command
from igq_mmdet.report.dashboards.readers import READERS, read_dashboard
from igq_mmdet.report.dashboards.table import dashboard_table, everything


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('dashboard', choices=READERS)
    parser.add_argument(
        'place',
        help='a folder, which is searched, such as a --work-dir; for mlflow '
        'also an address such as sqlite:///mlflow.db',
    )
    parser.add_argument(
        '--all',
        action='store_true',
        help='every number and hyper-parameter instead of AP',
    )
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Reads and prints."""
    runs = read_dashboard(args.dashboard, args.place)
    print(everything(runs) if args.all else dashboard_table(runs))


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
