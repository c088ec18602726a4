"""Quantizes a timm classifier and reports its accuracy beside float.

    python tools/ptq_imagenet.py deit_small_patch16_224 --data ImageNet

ImageNet/train and ImageNet/val hold one folder a class. Preprocessing is
that of the model's pretrained_cfg; 32 seeded images of train calibrate.
"""

import argparse
import os
import sys

import igq_mmdet as igq
from igq_mmdet.commands.command import run_command


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    from igq_mmdet.classification import ClassifierExperiment, image_folder
    from igq_mmdet.classification.timm_classifier import timm_classifier
    from igq_mmdet.commands.classification import add_options, run

    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('model', help="timm's name of the model")
    parser.add_argument(
        '--data', required=True, help='folder with train/ and val/'
    )
    parser.add_argument(
        '--checkpoint', help='weights; default: the published ones'
    )
    parser.add_argument(
        '--calib-on-eval',
        action='store_true',
        help='calibrate on images of val, where there is no train',
    )
    add_options(parser, None)
    args = parser.parse_args(argv)

    def build() -> tuple[ClassifierExperiment, object]:
        train = os.path.join(args.data, 'train')
        if not args.load and not args.calib_on_eval:
            if not os.path.isdir(train):
                raise igq.IGQError(
                    f'{train}: no such folder; calibration needs it, or '
                    '--calib-on-eval'
                )
        model, transform = timm_classifier(args.model, args.checkpoint)
        test = image_folder(os.path.join(args.data, 'val'), transform)
        images = test
        if not args.load and not args.calib_on_eval:
            images = image_folder(train, transform)
        experiment = ClassifierExperiment(
            model,
            test,
            args.work_dir,
            args.batch_size,
            args.workers,
            args.quiet,
        )
        return experiment, images

    return run_command(run, args, build)


if __name__ == '__main__':
    sys.exit(main())
