"""Writes a quantized model as an ONNX file of standard operators.

Of a detector that is its backbone and neck, from normalised images to
feature maps; of a timm classifier the whole model.
"""

import argparse
import sys
from typing import Any

import numpy as np
import torch

import igq_mmdet
from igq_mmdet.classification.timm_classifier import timm_with
from igq_mmdet.commands.command import run_command
from igq_mmdet.errors import DataError, SpecError
from igq_mmdet.export.check import check
from igq_mmdet.export.onnx_file import OPSETS


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('quantized', help='from tools/ptq_coco.py --save')
    parser.add_argument('out', help='the ONNX file to write')
    parser.add_argument(
        '--timm', metavar='NAME', help='it is this model of timm'
    )
    parser.add_argument(
        '--size',
        nargs=2,
        type=int,
        metavar=('HEIGHT', 'WIDTH'),
        help='of images, fixed in the file. Default 800 1216, or what the '
        'model of timm takes',
    )
    parser.add_argument(
        '--opset',
        type=int,
        default=OPSETS[0],
        choices=OPSETS,
        help='version of the operators. Default 18',
    )
    parser.add_argument(
        '--check',
        nargs='*',
        metavar='IMAGE',
        help='run the file on these images, or on noise if none is named, in '
        'ONNX Runtime and OpenVINO, and print how it differs',
    )
    parser.add_argument('--threads', type=int, help='of torch')
    return parser.parse_args(argv)


def _classifier(args: argparse.Namespace) -> tuple[Any, Any, Any]:
    """The model, its size and what normalises images."""
    model = timm_with(args.timm).create_model(args.timm).eval()
    settings = model.pretrained_cfg
    mean, std = (
        torch.tensor(settings[key]).view(3, 1, 1) for key in ('mean', 'std')
    )
    size = args.size or settings['input_size'][1:]
    return (
        igq_mmdet.load(model, args.quantized),
        size,
        lambda image: (image / 255 - mean) / std,
    )


def _features(args: argparse.Namespace) -> tuple[Any, Any, Any]:
    """Backbone and neck of a detector, likewise."""
    from igq_mmdet import load_detector
    from igq_mmdet.detection.models.features import DetectorFeatures

    detector = load_detector(args.quantized, 'cpu')
    settings = detector.data_preprocessor
    size = args.size or (800, 1216)
    return (
        DetectorFeatures(detector).eval(),
        size,
        lambda image: (image - settings.mean) / settings.std,
    )


def _images(names: list[str], size: Any, normalise: Any) -> list[Any]:
    """Images as the model takes them, (1, 3, H, W) each."""
    if not names:
        generator = torch.Generator().manual_seed(0)
        return [
            torch.randn(images, 3, *size, generator=generator)
            for images in (1, 2)
        ]
    from PIL import Image

    found = []
    for name in names:
        try:
            with Image.open(name) as image:
                small = image.convert('RGB').resize(tuple(reversed(size)))
        except OSError as error:
            raise DataError(f'{name}: not an image ({error})') from error
        pixels = torch.from_numpy(np.array(small)).permute(2, 0, 1)
        found.append(normalise(pixels.float())[None])
    return found


def run(args: argparse.Namespace) -> None:
    """Writes the file, and checks it if that is asked for."""
    if args.size and min(args.size) < 1:
        raise SpecError(f'--size: {args.size} is not a size of images')
    if args.threads:
        torch.set_num_threads(args.threads)
    make = _classifier if args.timm else _features
    model, size, normalise = make(args)
    example = torch.zeros(1, 3, *size)
    igq_mmdet.export(model, example, args.out, args.opset)
    print(f'{args.out}: images of {size[0]} x {size[1]}, opset {args.opset}')
    if args.check is None:
        return
    inputs = _images(args.check, size, normalise)
    for row in check(model, args.out, inputs):
        print(
            f'{row.runtime}: largest difference {row.largest:.2e} of the '
            f'largest value; {100 * row.share:.3f} % of values differ'
        )


def main(argv: list[str] | None = None) -> int:
    """Runs the command line; errors are one line and exit status 1."""
    return run_command(run, parse_args(argv))


if __name__ == '__main__':
    sys.exit(main())
