"""Trains a small timm ViT or Swin on Fashion-MNIST.

apt-get install dataset-fashion-mnist
python tools/train_fashion_mnist.py vit
"""

import argparse
import sys

import torch

import igq_mmdet as igq


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    from igq_mmdet.classification.fashion_mnist import FOLDER, fashion_mnist
    from igq_mmdet.classification.small_models import OPTIONS, train_small

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('model', choices=sorted(OPTIONS))
    parser.add_argument('--data', default=FOLDER, help='the four IDX files')
    parser.add_argument('--out', help='default work_dirs/fashion_mnist/...')
    parser.add_argument('--epochs', type=int, default=3)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--threads', type=int, help='of torch')
    args = parser.parse_args(argv)
    if args.threads:
        torch.set_num_threads(args.threads)
    out = args.out or f'work_dirs/fashion_mnist/{args.model}.safetensors'
    try:
        images = fashion_mnist('train', args.data)
        train_small(args.model, images, out, args.epochs, args.seed)
    except igq.IGQError as error:
        print('error:', ' '.join(str(error).split()), file=sys.stderr)
        return 1
    print(f'weights: {out}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
