"""Prints float and quantized AP as a dashboard has them.

python tools/read_dashboard.py tensorboard work_dirs/ptq
"""

import argparse
import sys

import igq_mmdet as igq
from igq_mmdet.report.dashboard_readers import READERS, read_dashboard
from igq_mmdet.report.dashboard_table import dashboard_table, everything


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


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    args = parse_args(argv)
    try:
        runs = read_dashboard(args.dashboard, args.place)
    except igq.IGQError as error:
        print('error:', ' '.join(str(error).split()), file=sys.stderr)
        return 1
    print(everything(runs) if args.all else dashboard_table(runs))
    return 0


if __name__ == '__main__':
    sys.exit(main())
