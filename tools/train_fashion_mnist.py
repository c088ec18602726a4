"""Trains a small timm ViT or Swin on Fashion-MNIST.

    apt-get install dataset-fashion-mnist
    python tools/train_fashion_mnist.py vit

The same command goes on after the last whole epoch when it was stopped.
"""

import argparse
import sys

import torch

from igq_mmdet.commands.command import run_command


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    from igq_mmdet.classification.fashion_mnist import FOLDER
    from igq_mmdet.classification.training import EPOCHS

    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', choices=sorted(EPOCHS))
    parser.add_argument('--data', default=FOLDER, help='the four IDX files')
    parser.add_argument('--out', help='default work_dirs/fashion_mnist/...')
    parser.add_argument(
        '--epochs',
        type=int,
        help=f'default {EPOCHS["vit"]} and {EPOCHS["swin"]}',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--threads', type=int, help='of torch')
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Trains what was asked for."""
    from igq_mmdet.classification.fashion_mnist import fashion_mnist
    from igq_mmdet.classification.training import train_small

    if args.threads:
        torch.set_num_threads(args.threads)
    out = args.out or f'work_dirs/fashion_mnist/{args.model}.safetensors'
    images = fashion_mnist('train', args.data)
    train_small(args.model, images, out, args.epochs, args.seed)
    print(f'weights: {out}')


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
