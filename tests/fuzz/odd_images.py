"""What may lie where an image should, by seed."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image

from .damage import broken_bytes
from .trial import EQUAL, REFUSED

SIDES = (40_000, 60_000, 2**31 - 1, 2**32 - 1)
NO_IMAGES = (
    *(b'', b' ', b'no picture', b'\xff\xd8\xff\xe0', b'\x89PNG\r\n\x1a\n'),
    *(b'GIF89a', b'BM' + bytes(60), bytes(5000), b'\xff\xd8\xff\xd9'),
    *(b'<svg xmlns="http://www.w3.org/2000/svg"/>', b'RIFF0000WEBPVP8 '),
    b'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n',
)
MODES = ('L', '1', 'CMYK', 'P', 'LA', 'RGBA', 'I;16')
ORIENTATION = 0x112


@dataclass(frozen=True)
class Odd:
    """Something in place of an image.

    Args:
        label (str): What is odd about it.
        put (Callable): Makes it, given the path.
        size (tuple[int, int], optional): Width and height as read.
            Defaults to those of the image it stands for.
        must (str, optional): See :class:`Case`.
        exact (bool): Pixels are those of the image, where it is taken.
    """

    label: str
    put: Callable[[Path], object]
    size: tuple[int, int] | None = None
    must: str | None = None
    exact: bool = False


def draw(random: Random, path: Path) -> Odd:
    """Something odd.

    Args:
        random (Random): What is drawn with.
        path (Path): The image it stands for.
    """
    makers = (_damaged, _damaged, _form, _form, _size, _no_image, _bomb)
    return random.choice(makers)(random, path)


@cache
def opened(path: Path) -> Image.Image:
    return Image.open(path).convert('RGB')


def encoded(image: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()


def _file(label: str, content: bytes, **fields: object) -> Odd:
    def put(path: Path) -> None:
        path.write_bytes(content)

    return Odd(label, put, **fields)  # type: ignore[arg-type]


def _damaged(random: Random, path: Path) -> Odd:
    """A flipped bit of a JPEG may be another picture; PNG has checksums."""
    exact = random.random() < 0.4
    content = path.read_bytes()
    if exact:
        content = encoded(opened(path), 'PNG')
    label, broken = broken_bytes(content, random)
    must = REFUSED if label.startswith('cut') and not exact else None
    name = 'PNG' if exact else 'JPEG'
    return _file(f'{name} {label}', broken, must=must, exact=exact)


def _form(random: Random, path: Path) -> Odd:
    """Whole images of other kinds, under the name of a JPEG."""
    image = opened(path)
    kind = random.choice(('mode', 'mode', 'exif', 'gif', 'deep', 'lossless'))
    if kind == 'mode':
        mode = random.choice(MODES)
        if mode == 'I;16':
            grey = np.asarray(image.convert('L')).astype(np.uint16) * 257
            other = Image.fromarray(grey)
        else:
            other = image.convert(mode)
        form = 'JPEG' if mode in ('L', 'CMYK') else 'PNG'
        return _file(
            f'{mode} {form}',
            encoded(other, form),
            must=EQUAL,
            exact=mode == 'RGBA',
        )
    if kind == 'exif':
        turn = random.randrange(10)
        exif = Image.Exif()
        exif[ORIENTATION] = turn
        size = image.size[::-1] if 5 <= turn <= 8 else image.size
        content = encoded(image, 'JPEG', exif=exif)
        return _file(f'EXIF turn {turn}', content, size=size, must=EQUAL)
    if kind == 'gif':
        other = image.convert('P')
        more = [other.rotate(180)] * random.randrange(1, 4)
        content = encoded(other, 'GIF', save_all=True, append_images=more)
        # OpenCV before 4.11 reads none
        return _file(f'GIF of {len(more) + 1}', content)
    if kind == 'deep':
        deep = _png(np.asarray(image).astype('>u2') * 257, 16)
        return _file('16-bit RGB PNG', deep, must=EQUAL, exact=True)
    form = random.choice(('PNG', 'BMP', 'TIFF'))
    return _file(form, encoded(image, form), must=EQUAL, exact=True)


def _size(random: Random, path: Path) -> Odd:
    """Thin, tiny and wide ones; a side may shrink to no pixel at all."""
    size = random.choice(
        (
            *((1, 1), (2, 1), (1, 3), (10_000, 300), (300, 10_000)),
            *((1, random.randint(2, 2000)), (random.randint(2, 2000), 1)),
            (random.randint(1, 900), random.randint(1, 900)),
        )
    )
    form = random.choice(('PNG', 'JPEG'))
    content = encoded(opened(path).resize(size), form)
    # what the pipeline scales by no more than 20 has pixels left
    must = EQUAL if max(size) <= 20 * min(size) else None
    return _file(f'{form} {size}', content, size=size, must=must)


def _no_image(random: Random, path: Path) -> Odd:
    kind = random.choice(('text', 'text', 'gone', 'folder', 'pipe', 'loop'))
    if kind == 'text':
        content = random.choice((*NO_IMAGES, random.randbytes(300)))
        return _file(f'bytes {content[:12]!r}', content, must=REFUSED)
    put: dict[str, Callable[[Path], object]] = {
        'gone': lambda path: None,
        'folder': Path.mkdir,
        'pipe': os.mkfifo,
        'loop': lambda path: path.symlink_to(path),
    }
    return Odd(kind, put[kind], must=REFUSED)


def _bomb(random: Random, path: Path) -> Odd:
    """Headers that claim more pixels than there is memory."""
    side = random.choice(SIDES)
    if random.random() < 0.5:
        pixels = np.zeros((1, 1, 3), '>u1')
        return _file(f'PNG of {side}', _png(pixels, 8, side), must=REFUSED)
    content = path.read_bytes()
    start = content.index(b'\xff\xc0') + 5  # height and width of a frame
    broken = content[:start] + b'\xff' * 4 + content[start + 4 :]
    return _file('JPEG of 65535', broken, must=REFUSED)


def _png(pixels: np.ndarray, bits: int, side: int | None = None) -> bytes:
    """Written by hand: Pillow writes no 16-bit RGB and no lies."""
    height, width = pixels.shape[:2]
    rows = b''.join(b'\0' + row.tobytes() for row in pixels)
    header = struct.pack(
        *('>IIBBBBB', side or width, side or height, bits, 2, 0, 0, 0)
    )
    chunks = (
        *((b'IHDR', header), (b'IDAT', zlib.compress(rows)), (b'IEND', b'')),
    )
    return b'\x89PNG\r\n\x1a\n' + b''.join(
        struct.pack('>I', len(data))
        + name
        + data
        + struct.pack('>I', zlib.crc32(name + data))
        for name, data in chunks
    )
