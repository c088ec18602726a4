"""A JPEG that was cut off is noticed, whatever OpenCV makes of it."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmdet')

from igq_mmdet.detection.data.jpeg_end import is_cut_off


def jpeg(**options):
    pixels = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, 'JPEG', **options)
    return file.getvalue()


def with_thumbnail():
    """A whole JPEG in a segment before the image itself."""
    small = b'Exif\0\0' + jpeg(quality=20)
    length = (len(small) + 2).to_bytes(2, 'big')
    content = jpeg()
    return content[:2] + b'\xff\xe1' + length + small + content[2:]


@pytest.mark.parametrize(
    'content',
    [
        jpeg(),
        jpeg(progressive=True),
        jpeg(restart_marker_blocks=2),
        with_thumbnail(),
    ],
    ids=['plain', 'progressive', 'restart markers', 'thumbnail'],
)
def test_cut_anywhere(content, tmp_path):
    path = tmp_path / 'a.jpg'
    for cut in range(2, len(content), 7):
        path.write_bytes(content[:cut])
        assert is_cut_off(str(path)), cut
    for more in (b'', b'\0' * 9, b'\xff\xda\0\0'):
        path.write_bytes(content + more)
        assert not is_cut_off(str(path))


@pytest.mark.parametrize('content', [b'', b'\x89PNG\r\n', b'\xff\xd8text'])
def test_others_are_left_to_the_decoder(content, tmp_path):
    path = tmp_path / 'a.jpg'
    path.write_bytes(content)
    assert not is_cut_off(str(path))


def test_the_demo_is_whole():
    paths = sorted(Path('demo/images').glob('*.jpg'))
    assert len(paths) == 64
    assert not any(is_cut_off(str(path)) for path in paths)
