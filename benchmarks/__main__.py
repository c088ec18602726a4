"""Measures Mask R-CNN Swin-T in float, simulated, on integers, and rivals.

    python -m benchmarks --json docs/performance.json --page

writes the figures of docs/performance.md; `--from docs/performance.json
--page` writes the page anew without measuring.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / 'docs/performance.md'
# of the pairs of layer and candidate that the naive allocation measures
NAIVE_SHARE = 0.05


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='benchmarks',
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    flag = argparse.BooleanOptionalAction
    parser.add_argument(
        '--config',
        default='mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py',
        help='a Mask R-CNN with a Swin backbone',
    )
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(800, 1216),
        metavar=('H', 'W'),
        help='of the image, in pixels',
    )
    parser.add_argument(
        '--rounds', type=int, default=5, help='in which all forms take turns'
    )
    parser.add_argument(
        '--clock',
        choices=('wall', 'cpu'),
        default='wall',
        help='cpu: of this process, for machines that others use too',
    )
    parser.add_argument('--groups', type=int, default=12)
    parser.add_argument('--bits', type=int, default=4)
    parser.add_argument(
        '--compile', action=flag, default=True, help='with torch.compile'
    )
    parser.add_argument(
        '--rivals',
        action=flag,
        default=True,
        help='with OpenVINO and ONNX Runtime, where installed (make bench)',
    )
    parser.add_argument(
        '--allocation',
        action=flag,
        default=True,
        help='with benchmarks.allocation',
    )
    parser.add_argument(
        '--huge-pages',
        action=flag,
        default=True,
        help='again with huge pages for whatever torch allocates',
    )
    parser.add_argument(
        '--brief', action='store_true', help='only the speeds of our forms'
    )
    parser.add_argument('--json', help='write the measurements here')
    parser.add_argument(
        '--page', action='store_true', help='renew docs/performance.md'
    )
    parser.add_argument(
        '--from', dest='source', help='measurements to read, not to make'
    )
    args = parser.parse_args()
    if args.brief:
        args.compile = args.rivals = args.allocation = False
        args.huge_pages = False
    return args


def allocation(folder: str) -> dict[str, Any]:
    """What ``python -m benchmarks.allocation`` measures."""
    path = os.path.join(folder, 'allocation.json')
    command = ['-m', 'benchmarks.allocation', '--json', path]
    subprocess.run(
        [sys.executable, *command, '--share', str(NAIVE_SHARE)],
        check=True,
        cwd=ROOT,
        stdout=sys.stderr,
    )
    found: dict[str, Any] = json.loads(Path(path).read_text())
    return found


def huge_pages(args: argparse.Namespace, folder: str) -> dict[str, Any]:
    """The speeds in a process whose torch takes huge pages itself."""
    path = os.path.join(folder, 'huge_pages.json')
    command = [sys.executable, '-m', 'benchmarks', '--brief', '--json', path]
    command += ['--config', args.config, '--clock', args.clock]
    for name in ('threads', 'rounds', 'groups', 'bits'):
        command += [f'--{name}', str(getattr(args, name))]
    command += ['--size', *map(str, args.size)]
    subprocess.run(
        command,
        check=True,
        cwd=ROOT,
        env={**os.environ, 'THP_MEM_ALLOC_ENABLE': '1'},
        stdout=sys.stderr,
    )
    found = json.loads(Path(path).read_text())
    return {name: found[name] for name in ('whole', 'backbone')}


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Everything, as JSON-ready figures."""
    os.environ['OMP_NUM_THREADS'] = str(args.threads)
    warnings.simplefilter('ignore')
    import torch

    from .measure import Run

    torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        with torch.no_grad():
            data = Run(args, folder).all()
        if args.huge_pages:
            data['huge_pages'] = huge_pages(args, folder)
        if args.allocation:
            data['allocation'] = allocation(folder)
    return data


def main() -> None:
    args = parse_args()
    if args.source:
        data = json.loads(Path(args.source).read_text())
    else:
        data = measure(args)
    from igq_mmdet.files.atomic import replacing

    from .page import figures, renew

    if args.json:
        with replacing(args.json) as temporary:
            temporary.write_text(json.dumps(data, indent=1) + '\n')
    if not args.brief:
        print(figures(data))
    if args.page:
        renew(PAGE, data)


if __name__ == '__main__':
    main()
