"""Quantizes a small ViT or Swin and reports its accuracy beside float.

    python tools/train_fashion_mnist.py vit
    python tools/ptq_fashion_mnist.py vit

Evaluates the 10,000 test images of Fashion-MNIST at 4/4 and 6/6, layer by
layer, with 8 and 12 groups and at the upper bound.
"""

import argparse
import sys

from igq_mmdet.classification import ClassifierExperiment, fashion_mnist
from igq_mmdet.commands.command import run_command


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    from igq_mmdet.classification.fashion_mnist import FOLDER
    from igq_mmdet.classification.small_models import OPTIONS, load_small
    from igq_mmdet.commands.classification import add_options, run

    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', choices=sorted(OPTIONS))
    parser.add_argument('--data', default=FOLDER, help='the four IDX files')
    parser.add_argument('--weights', help='from train_fashion_mnist.py')
    add_options(parser, 'layerwise,igq:8,igq:12,upper_bound')
    parser.set_defaults(bits=['4/4', '6/6'], batch_size=250)
    args = parser.parse_args(argv)
    weights = f'work_dirs/fashion_mnist/{args.model}.safetensors'

    def build() -> tuple[ClassifierExperiment, object]:
        experiment = ClassifierExperiment(
            load_small(args.model, args.weights or weights),
            fashion_mnist('test', args.data),
            args.work_dir,
            args.batch_size,
            args.workers,
            args.quiet,
        )
        return experiment, fashion_mnist('train', args.data)

    return run_command(run, args, build)


if __name__ == '__main__':
    sys.exit(main())
