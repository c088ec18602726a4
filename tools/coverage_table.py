"""Makes docs/models.md: what is quantized in each family of models.

Every model is built with random weights, quantized, calibrated on noise,
run, saved and reloaded; products are counted as torch dispatches them.
"""

import argparse
import json
import os
import sys
import warnings
from pathlib import Path

import torch

from igq_mmdet.commands.command import run_command

ROOT = Path(__file__).resolve().parents[1]
INTRO = """\
# Models

Made by `python tools/coverage_table.py`; not edited by hand.

Layers whose matrix products go through quantizers, of all there are, in
one run of a model with random weights on images of noise. *FC inputs* are
grouped by channel, *softmax* by row; the operands of *Q x K* and the
inputs of *convolutions* are static per tensor. *Reload identical*: saved,
loaded, and the same outputs bit by bit. `igq.coverage(qmodel, images)`
says the same of any model.

The families are those of `igq_mmdet/inspection/families.py`, which the
tests run over: the classes of the published models, with fewer blocks where
`smaller` there says so (`--full` takes all blocks).
ViTDet's own project does not come with mmdet's wheel; its backbone is the
image encoder of SAM, which timm has.
Whether each detector of mmdet's zoo works at all is in [its table](zoo.md).

"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--out', default=str(ROOT / 'docs/models.md'))
    parser.add_argument(
        '--rows',
        default='work_dirs/models.json',
        help='rows measured so far; delete it to measure anew',
    )
    parser.add_argument(
        '--full',
        action='store_true',
        help='every block of every model, and larger ones; takes an hour',
    )
    parser.add_argument(
        '--measured',
        action='store_true',
        help='write the rows there are, measure no more',
    )
    parser.add_argument('--threads', type=int, help='of torch')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> int:
    """Measures what is missing and writes the page; 1 if a model failed."""
    from igq_mmdet.inspection import families
    from igq_mmdet.studies.family_check import check_family, markdown

    if args.threads:
        torch.set_num_threads(args.threads)
    warnings.simplefilter('ignore')
    path = Path(args.rows).absolute()
    out = Path(args.out).absolute()
    os.chdir(ROOT)  # some configs are the project's own
    rows = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    table = [*families.TIMM, *families.TORCHVISION, *families.MMDET]
    if args.full:
        table += families.LARGER
    for family in table:
        if family.name not in rows and not args.measured:
            print(family.name, flush=True)
            rows[family.name] = check_family(family, args.full)
            path.write_text(json.dumps(rows, indent=2))
    chosen = [rows[x.name] for x in table if x.name in rows]
    missing = [x.name for x in table if x.name not in rows]
    text = INTRO + markdown(chosen)
    if missing:
        text += f'\nNot measured yet: {"; ".join(missing)}.\n'
    out.write_text(text)
    failed = [
        row['family']
        for row in chosen
        if row['uncovered'] or not row['reload_identical']
    ]
    print(f'{out}: {len(chosen)} models, failed: {", ".join(failed) or "-"}')
    return 1 if failed else 0


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
