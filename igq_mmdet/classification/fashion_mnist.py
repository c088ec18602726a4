"""Fashion-MNIST as Debian's ``dataset-fashion-mnist`` installs it."""

import gzip
import os

import torch
from torch import Tensor

from ..errors import DataError
from .data import Images

FOLDER = '/usr/share/datasets/fashion-mnist'
FILES = {'train': 'train', 'test': 't10k'}
CLASSES = 10
MEAN, STD = 0.2860, 0.3530  # of the training images, scaled to 0..1


class _Pairs:
    """Items of (image, label)."""

    def __init__(self, images: Tensor, labels: Tensor) -> None:
        self.images, self.labels = images, labels

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.images[index], self.labels[index]


def fashion_mnist(split: str, folder: str = FOLDER) -> Images:
    """Reads one split, normalized.

    Args:
        split (str): ``train`` (60,000 images) or ``test`` (10,000).
        folder (str): Where the four files are.

    Returns:
        Images: Of (1, 28, 28), float32.

    Raises:
        DataError: A file is missing or damaged.
    """
    prefix = FILES[split]
    pixels = _read(os.path.join(folder, f'{prefix}-images-idx3-ubyte'), 3)
    labels = _read(os.path.join(folder, f'{prefix}-labels-idx1-ubyte'), 1)
    images = pixels[:, None].float().div_(255).sub_(MEAN).div_(STD)
    names = [f'{split}/{index}' for index in range(len(labels))]
    return Images(_Pairs(images, labels.long()), names, CLASSES)


def _read(path: str, dims: int) -> Tensor:
    """An IDX file: magic number, sizes, bytes."""
    opened = next(
        (name for name in (path, f'{path}.gz') if os.path.isfile(name)), None
    )
    if opened is None:
        raise DataError(
            f'{path}: no such file; apt-get install dataset-fashion-mnist'
        )
    with (
        gzip.open(opened)
        if opened.endswith('.gz')
        else open(opened, 'rb') as file
    ):
        data = file.read()
    head = 4 + 4 * dims
    shape = [
        int.from_bytes(data[4 + 4 * i : 8 + 4 * i], 'big') for i in range(dims)
    ]
    expected = torch.Size(shape).numel()
    if data[:4] != bytes([0, 0, 8, dims]) or len(data) - head != expected:
        raise DataError(f'{opened}: damaged, not an IDX file of {dims} axes')
    return torch.frombuffer(bytearray(data[head:]), dtype=torch.uint8).view(
        shape
    )
