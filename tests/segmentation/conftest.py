"""Small sets of images and masks, drawn with a seed."""

import numpy as np
import pytest
from PIL import Image


def draw_pair(seed, size=(36, 48)):
    """An image whose object is brighter, and its mask."""
    draw = np.random.default_rng(seed)
    mask = np.zeros(size, dtype=bool)
    top, left = draw.integers(2, size[0] // 2), draw.integers(2, size[1] // 2)
    mask[top : top + size[0] // 3, left : left + size[1] // 3] = True
    pixels = draw.integers(0, 120, (*size, 3)) + 110 * mask[..., None]
    return pixels.astype(np.uint8), mask


def write_set(folder, count, seed=0, sizes=((36, 48),)):
    """``Imgs/`` and ``GT/`` as the field has them, JPEG beside PNG."""
    for name in ('Imgs', 'GT', 'Edge'):
        (folder / name).mkdir(parents=True)
    for index in range(count):
        size = sizes[index % len(sizes)]
        pixels, mask = draw_pair(seed + index, size)
        suffix = 'jpg' if index % 2 else 'png'
        Image.fromarray(pixels).save(folder / f'Imgs/img_{index}.{suffix}')
        grey = Image.fromarray(255 * mask.astype(np.uint8))
        grey.save(folder / f'GT/img_{index}.png')


@pytest.fixture
def sets(tmp_path):
    """Two sets to evaluate and images to calibrate on."""
    sizes = ((36, 48), (50, 40))
    write_set(tmp_path / 'TestDataset/CAMO', 3, 10, sizes)
    write_set(tmp_path / 'TestDataset/CHAMELEON', 3, 20, sizes)
    write_set(tmp_path / 'TrainValDataset', 4, 30, sizes)
    return tmp_path
