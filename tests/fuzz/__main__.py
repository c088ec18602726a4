"""Tries hostile input of every kind and prints what came of it.

With --page the numbers are written into docs/reliability.md.
"""

import argparse
import contextlib
import io
import logging
import os
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from random import Random

from . import kinds
from .page import write_page
from .trial import WRONG, judge

ROOT = Path(__file__).resolve().parents[2]


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='python -m tests.fuzz', description=__doc__
    )
    parser.add_argument(
        '--cases', type=int, help='of every kind; default differs by kind'
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--kind', nargs='+', choices=kinds.KINDS)
    parser.add_argument('--page', action='store_true')
    parser.add_argument('--verbose', action='store_true', help='every case')
    args = parser.parse_args(argv)
    if args.page and args.kind:
        parser.error('--page is about every kind; leave --kind out')
    return args


def main(argv: list[str] | None = None) -> int:
    """Status 1 if a case is wrong."""
    args = parse_args(argv)
    os.chdir(ROOT)  # the demo's paths are relative to the project
    warnings.simplefilter('ignore')  # of torch, on what it is about to refuse
    logging.getLogger('igq_mmdet').setLevel(logging.ERROR)
    rows: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory(prefix='igq-fuzz-') as folder:
        for name in args.kind or kinds.KINDS:
            rows[name] = try_kind(name, args, Path(folder))
    if args.page:
        write_page(ROOT / 'docs/reliability.md', rows, args.seed)
    return int(any(row[WRONG] for row in rows.values()))


def try_kind(
    name: str, args: argparse.Namespace, folder: Path
) -> Counter[str]:
    """Tries one kind and prints its line."""
    count = args.cases or kinds.KINDS[name].cases
    # the name makes kinds independent of which others are run
    random = Random(f'{args.seed} {name}')
    outcomes: Counter[str] = Counter()
    start = time.perf_counter()
    cases = kinds.KINDS[name].make(random, folder)
    for number, case in enumerate(cases):
        if number == count:
            break
        with contextlib.redirect_stdout(io.StringIO()):
            outcome = judge(case)
        outcomes[outcome.kind] += 1
        if args.verbose or outcome.kind == WRONG:
            line = f'{name} {number} {case.label[:90]}: {outcome.kind}'
            print(f'  {line}: {outcome.text}', flush=True)
    seconds = time.perf_counter() - start
    print(f'{name}: {kinds.sentence(outcomes)} ({seconds:.0f} s)', flush=True)
    return outcomes


if __name__ == '__main__':
    sys.exit(main())
