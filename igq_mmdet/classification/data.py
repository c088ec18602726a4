"""Labelled images: folders as ImageNet has them, and a seeded choice."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from ..errors import DataError, MissingDependencyError


@dataclass(frozen=True)
class Images:
    """Labelled images of one split.

    Args:
        items (Sequence): Items of (image (C, H, W), label).
        names (Sequence[str]): A name for each, such as its path.
        classes (int): How many labels there are.
    """

    items: Any
    names: Sequence[str]
    classes: int

    def __len__(self) -> int:
        return len(self.names)

    def draw(self, count: int, seed: int) -> list[int]:
        """A seeded choice of images.

        Args:
            count (int): How many.
            seed (int): Of the choice.

        Raises:
            DataError: There are not that many.
        """
        if not 1 <= count <= len(self):
            raise DataError(
                f'{count} calibration images asked for, {len(self)} there'
            )
        generator = torch.Generator().manual_seed(seed)
        return torch.randperm(len(self), generator=generator)[:count].tolist()

    def batches(
        self, size: int, chosen: Sequence[int] | None = None, workers: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels in batches.

        Args:
            size (int): Images a batch.
            chosen (Sequence[int], optional): Indices. Defaults to all.
            workers (int): Processes that read. Defaults to 0.

        Yields:
            tuple[Tensor, Tensor]: (B, C, H, W) and (B,).

        Raises:
            DataError: An image does not decode; names it.
        """
        indices = range(len(self)) if chosen is None else chosen
        named: Any = _Named(self, indices)
        yield from DataLoader(named, batch_size=size, num_workers=workers)


class _Named:
    """A data set whose errors name the image."""

    def __init__(self, images: Images, indices: Sequence[int]) -> None:
        self.images, self.indices = images, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> tuple[Tensor, int]:
        index = self.indices[position]
        try:
            image, label = self.images.items[index]
        except (OSError, SyntaxError, ValueError) as error:
            raise DataError(
                f'{self.images.names[index]}: image does not decode; '
                f'replace it ({error})'
            ) from error
        return image, int(label)


def image_folder(folder: str, transform: Any) -> Images:
    """Reads ``folder/CLASS/*.jpg``; classes in order of name.

    Args:
        folder (str): Where the class folders are.
        transform (Callable): Image to tensor, from timm.

    Raises:
        DataError: The folder is missing or holds no images.
    """
    try:
        from torchvision.datasets import ImageFolder
    except ImportError as error:
        raise MissingDependencyError(
            'torchvision is not installed; pip install igq_mmdet[timm]'
        ) from error
    if not os.path.isdir(folder):
        raise DataError(f'{folder}: no such folder')
    try:
        data = ImageFolder(folder, transform)
    except FileNotFoundError as error:
        raise DataError(
            f'{folder}: no images in class folders ({error})'
        ) from error
    names = [os.path.relpath(path, folder) for path, _ in data.samples]
    return Images(data, names, len(data.classes))
