"""Images that cannot be used are named, whoever reads them.

mmcv's errors rarely say which file they are about. An image of another size
than annotated is no error at all to COCO's evaluation: its masks match nothing
and its boxes lie elsewhere, so the AP would be wrong without a word.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from mmdet.evaluation import CocoMetric
from mmengine.dataset import Compose

from ...errors import DataError, IGQError, one_line
from .jpeg_end import is_cut_off

# How a worker's traceback, which is all that comes back, ends.
MARK = f'{DataError.__module__}.{DataError.__qualname__}: '

FIXES = {
    'calibration': 'replace it or choose another seed',
    'evaluation': 'replace it',
    'input': 'replace it or leave it out',
    'mask': 'replace it',
}


class NamedImages(Compose):
    """A test pipeline whose errors name the image.

    Args:
        pipeline (Compose): What it stands in for.
        sized (bool): Whether images must have the size that the dataset
            lists.
        use (str): Key of ``MENDS``. Defaults to 'evaluation'.
    """

    def __init__(
        self, pipeline: Compose, sized: bool, use: str = 'evaluation'
    ) -> None:
        super().__init__(pipeline.transforms)
        self.sized = sized
        self.use = use

    def __call__(self, data: dict[str, Any]) -> Any:
        """Reads one image.

        Args:
            data (dict): What the dataset lists.

        Raises:
            DataError: It cannot be read, or has another size.
        """
        path = str(data.get('img_path', f'image {data.get("img_id")}'))
        listed = data.get('height'), data.get('width')
        sized = self.sized and None not in listed
        result: Any = data
        with naming(path, self.use):
            for transform in self.transforms:
                result = transform(result)
                if result is None:
                    name = type(transform).__name__
                    raise ValueError(f'{name} gives nothing')
                if sized and 'ori_shape' in result:
                    _check_size(path, tuple(result['ori_shape']), listed)
                    sized = False
        return result

    def __repr__(self) -> str:
        """That of the pipeline it stands in for: reports hold digests."""
        own = super().__repr__()
        return own.replace(type(self).__name__, Compose.__name__, 1)


def name_images(loop: Any) -> None:
    """Lets a test loop name the image that it cannot use.

    Sizes are looked at as images are read, where nothing is read twice;
    what was evaluated until then is kept for ``--resume``.

    Args:
        loop (TestLoop): Its dataset is changed.
    """
    metrics = getattr(getattr(loop, 'evaluator', None), 'metrics', ())
    sized = any(isinstance(metric, CocoMetric) for metric in metrics)
    for dataset in dataset_parts(loop.dataloader.dataset):
        # a class of its own may call its transforms in another way
        if type(getattr(dataset, 'pipeline', None)) is Compose:
            dataset.pipeline = NamedImages(dataset.pipeline, sized)


def dataset_parts(dataset: Any) -> Iterator[Any]:
    """A dataset, and those that it wraps.

    Args:
        dataset: Any.
    """
    yield dataset
    inner = [getattr(dataset, 'dataset', None)]
    for one in [*inner, *getattr(dataset, 'datasets', ())]:
        if one is not None:
            yield from dataset_parts(one)


def pipeline_text(dataset: Any) -> str:
    """How a dataset and those that it wraps read images.

    Args:
        dataset: Any.

    Returns:
        str: Of their transforms, without addresses in memory.
    """
    said = '\n'.join(
        repr(one.pipeline)
        for one in dataset_parts(dataset)
        if hasattr(one, 'pipeline')  # wrappers have none
    )
    return re.sub(' at 0x[0-9a-f]+', '', said)  # of those that tell nothing


@contextmanager
def naming(path: str, use: str) -> Iterator[None]:
    """Reads an image inside; whatever fails names it.

    Args:
        path (str): Of the image.
        use (str): Key of ``FIXES``.

    Raises:
        DataError: Of one line.
    """
    try:
        if os.path.exists(path):  # an address or a key of a store is not
            if not os.path.isfile(path):
                raise ValueError('no file')  # reading a pipe would not end
            if is_cut_off(path):
                raise ValueError('its end is missing')
        yield
    except IGQError:
        raise
    except Exception as error:  # a transform can be any code
        raise DataError(
            f'{path}: {use} image cannot be read ({_reason(error)}); '
            f'{FIXES[use]}'
        ) from error


@contextmanager
def worker_errors() -> Iterator[None]:
    """Evaluates inside; a worker's error becomes one line again.

    Raises:
        DataError: As :class:`NamedImages` raised it.
    """
    try:
        yield
    except DataError as error:
        _, found, text = str(error).rpartition(MARK)
        if not found:
            raise
        raise DataError(text.strip()) from error


def _check_size(
    path: str, found: tuple[int, ...], listed: tuple[Any, ...]
) -> None:
    if found == listed:
        return
    height, width = found
    fix = 'replace it or fix the annotations'
    if (width, height) == listed:
        fix = (
            'if EXIF turned it, read it with color_type='
            "'color_ignore_orientation'"
        )
    raise DataError(
        f'{path}: evaluation image is {width} x {height}, annotated as '
        f'{listed[1]} x {listed[0]}; {fix}'
    )


def _reason(error: Exception) -> str:
    text = getattr(error, 'strerror', None) or str(error)
    if 'failed to load image' in text:  # mmcv; the path follows
        return 'does not decode'
    text = one_line(ValueError(text), 200)
    return text or type(error).__name__
