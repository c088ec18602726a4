"""Makes docs/imagenet.md from the reports of ptq_fashion_mnist.py.

    python tools/imagenet_docs.py vit=VIT/igq_report.json \\
        swin=SWIN/igq_report.json
"""

import argparse
import json
import sys
from pathlib import Path

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command
from igq_mmdet.files.atomic import replacing
from igq_mmdet.report.differences import Difference

ROOT = Path(__file__).resolve().parents[1]
TESTED = 10_000  # test images of Fashion-MNIST
TEXT = """\
# Classifiers of timm

    python tools/ptq_imagenet.py MODEL --data DIR \\
        --bits 4/4 6/6 --compare layerwise,igq:8,igq:12,upper_bound

`DIR/train` and `DIR/val` hold one folder a class. Preprocessing is that of
the model's `pretrained_cfg`; 32 seeded images of `train` calibrate
(`--calib-images`, `--seed`). Top-1, top-5 and coverage of every setting are
in `igq_report.json`. `--save` and `--load` take a quantized checkpoint.

Published top-1 to stand beside: 8 and 12 are numbers of groups, † the same
in every layer, which is what `igq:8` and `igq:12` are. ImageNet was not at
hand: this project has not measured these rows.

{published}

## Fashion-MNIST

A small ViT and a small Swin, trained for {vit} and {swin} epochs on the
60,000 training images of Fashion-MNIST (28 x 28, MIT licence) and evaluated
on all {images:,} test images, stand in for them:

    apt-get install dataset-fashion-mnist
    python tools/train_fashion_mnist.py vit     # then swin
    python tools/ptq_fashion_mnist.py vit --work-dir work_dirs/vit
    python tools/imagenet_docs.py vit=work_dirs/vit/igq_report.json \\
        swin=work_dirs/swin/igq_report.json

The tables are made from the report files, not by hand. They show that
training, calibration and evaluation work from end to end, not what ImageNet
would give: the models have four blocks and were trained briefly. Seconds are
those of a machine that did other work as well.
{tables}"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('reports', nargs='*', metavar='NAME=FILE')
    parser.add_argument('--out', default=str(ROOT / 'docs/imagenet.md'))
    return parser.parse_args(argv)


def read(item: str) -> tuple[str, dict]:
    """Name and report of ``NAME=FILE``."""
    name, sign, path = item.partition('=')
    if not sign:
        raise igq.IGQError(f'{item!r} is not NAME=FILE of a report')
    try:
        return name, json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise igq.IGQError(f'{path}: not a report ({error})') from error


def gains(data: dict) -> str:
    """What settings gain over others, and how sure a figure is."""
    compared = (data.get('differences') or {}).get('settings')
    if compared:
        said = [
            f'{row["setting"]} to {row["against"]} '
            + Difference.from_dict(row['metrics']['top1']).text()
            for row in compared
        ]
        return (
            'Top-1 with the 95 % interval over images, by paired bootstrap: '
            f'{", ".join(said)}.'
        )
    top = {
        (run['spec']['w_bits'], run['spec']['a_bits'], run['name']): (
            run['metrics']['top1']
        )
        for run in data['runs']
    }
    said = []
    for (w, a, name), one in top.items():
        other = top.get((w, a, f'layerwise W{w}A{a}'))
        if other is not None and name.startswith('igq:'):
            said.append(f'{name} {one - other:+.2f}')
    share = data['float']['metrics']['top1'] / 100
    error = 100 * (share * (1 - share) / TESTED) ** 0.5
    return (
        f'Top-1 beside layer-wise: {", ".join(said)}. The standard error of '
        f'the float top-1 over images is {error:.2f}.'
    )


def run(args: argparse.Namespace) -> None:
    """Writes the page."""
    from igq_mmdet.classification.published import published_markdown
    from igq_mmdet.classification.training import EPOCHS
    from igq_mmdet.report.classification import classification_table

    tables = ''
    for item in args.reports:
        name, data = read(item)
        images = data['runs'][0]['calibration']['num_images']
        seed = data['runs'][0]['calibration']['seed']
        tables += (
            f'\n### {name}\n\n{images} calibration images, seed {seed}. '
            f'{gains(data)}\n\n'
            f'```\n{classification_table(data)}\n```\n'
        )
    if not tables:
        tables = '\nNot measured yet.\n'
    text = TEXT.format(
        published=published_markdown(), tables=tables, images=TESTED, **EPOCHS
    )
    with replacing(args.out) as temporary:
        temporary.write_text(text)


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
