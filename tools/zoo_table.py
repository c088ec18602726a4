"""Makes docs/zoo.md: which detectors of mmdet's zoo can be quantized.

Every model runs in a process of its own, with random weights and images of
noise in which nothing is detected; what is measured already is kept.
"""

import argparse
import json
import logging
import multiprocessing
import os
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

from igq_mmdet.commands.command import run_command
from igq_mmdet.files.atomic import replacing
from igq_mmdet.jobs.interruption import advising

ROOT = Path(__file__).resolve().parents[1]
INTRO = """\
# mmdet's zoo

Made by `python tools/zoo_table.py`; not edited by hand.

One config for every folder of mmdet {version} and combination of detector and
heads, {configs} configs in all: built with random weights and a fourth of the
width, quantized (IGQ, 8 groups, every part), calibrated on two images of noise
in which **nothing is detected**, and run with no and with all scores passing.
*Without*: layers that no image reaches, such as those for training only, which
have to be excluded.
Trackers and models of videos are no detectors of images; quantize the detector
in them.

{counts}

"""
MEANING = {
    'works': 'work',
    'refused': 'are refused in one line',
    'not here': 'do not run in float where this table was made, mostly for '
    'want of a package',
    'fault': 'fail',
}


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--out', default=str(ROOT / 'docs/zoo.md'))
    parser.add_argument(
        '--rows',
        default='work_dirs/zoo.json',
        help='rows measured so far; delete it to measure anew',
    )
    parser.add_argument(
        '--only', default='', help='rows whose config holds this text'
    )
    parser.add_argument(
        '--again', nargs='+', default=(), help='results to measure again'
    )
    parser.add_argument('--gigabytes', type=float, default=8, help='a model')
    parser.add_argument('--minutes', type=float, default=20, help='a model')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    """Measures what is missing and writes the page; 1 if a model failed."""
    import torch
    from mmengine.registry import init_default_scope

    warnings.simplefilter('ignore')
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(1)  # a pool of threads would not outlive a fork
    init_default_scope('mmdet')
    with advising(f'finished rows are kept in {args.rows}; start it again'):
        return _all(args)


def _all(args: argparse.Namespace) -> int:
    import mmdet

    from igq_mmdet.jobs.progress import Progress
    from igq_mmdet.studies.zoo_check import FAULT, markdown
    from igq_mmdet.studies.zoo_members import zoo_root

    path, rows = Path(args.rows), {}
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        rows = json.loads(path.read_text())
    else:
        rows = _members()
    todo = [
        name
        for name, row in rows.items()
        if args.only in name and row.get('result') in (None, *args.again)
    ]
    bar = Progress(todo, unit='model')
    for name in bar:
        bar.set_description(name)
        rows[name] |= _measured(zoo_root() / name, args)
        _keep(rows, path)
    measured = [row for row in rows.values() if 'result' in row]
    results = [row['result'] for row in measured]
    counts = '\n'.join(
        f'- {results.count(result)} {said}'
        for result, said in MEANING.items()
        if result in results
    )
    text = INTRO.format(
        version=mmdet.__version__,
        configs=sum(1 + row['others'] for row in measured),
        counts=counts,
    )
    with replacing(Path(args.out)) as temporary:
        temporary.write_text(text + markdown(measured))
    print(f'{args.out}: {len(measured)} of {len(rows)} rows')
    return int(FAULT in results)


def _members() -> dict[str, dict[str, Any]]:
    from igq_mmdet.jobs.progress import Progress
    from igq_mmdet.studies.zoo_members import zoo_members, zoo_root

    def bar(files: Any) -> Any:
        return Progress(files, desc='reading configs', unit='config')

    return {
        member.config: {
            'config': member.config,
            'heads': list(member.heads),
            'others': member.others,
            **(_fault(member.problem, 'not here') if member.problem else {}),
        }
        for member in zoo_members(zoo_root(), bar)
    }


def _measured(path: Path, args: argparse.Namespace) -> dict[str, Any]:
    """A row from a process of its own, which may grow and last so much."""
    forks = multiprocessing.get_context('fork')  # has imported all it needs
    ours, theirs = forks.Pipe(duplex=False)
    process = forks.Process(target=_send_row, args=(path, args, theirs))
    process.start()
    theirs.close()
    try:
        if not ours.poll(60 * args.minutes):
            return _fault(f'not done after {args.minutes:g} minutes')
        row: dict[str, Any] = ours.recv()
    except EOFError:
        process.join()
        return _fault(f'its process ended with status {process.exitcode}')
    finally:
        process.kill()
        process.join()
    return row


def _send_row(path: Path, args: argparse.Namespace, pipe: Any) -> None:
    from igq_mmdet.studies.zoo_check import check_member

    most = int(args.gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    with open(os.devnull, 'w') as nothing:
        os.dup2(nothing.fileno(), 1)
        os.dup2(nothing.fileno(), 2)
    pipe.send(check_member(path))


def _fault(reason: str, result: str = 'fault') -> dict[str, Any]:
    return {'result': result, 'reason': reason, 'without': []}


def _keep(rows: Any, path: Path) -> None:
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(rows, indent=1) + '\n')


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
