"""The images a detector is calibrated on: seeded, listed, checked."""

import contextlib
import io
import os
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mmdet.registry import DATASETS
from mmengine.dataset import pseudo_collate
from torch.utils.data import Dataset

from ...errors import DataError, IGQError
from .coco_annotations import check_coco_file
from .image_fields import dataset_field
from .images_named import naming


@dataclass(frozen=True)
class CalibrationSet:
    """A seeded choice of images from a dataset.

    Args:
        dataset (Dataset): Any mmdet dataset in test mode.
        indices (tuple[int, ...]): The images chosen, in order.
        seed (int): What they were drawn with.
        image_ids (tuple): Their ids.
        evaluated (tuple): Ids of those that are evaluated on as well.
        where (Mapping[str, str]): What fields of the images were asked to
            be, such as ``{'kind': 'fluorescence'}``.
    """

    dataset: Dataset
    indices: tuple[int, ...]
    seed: int
    image_ids: tuple[Any, ...]
    evaluated: tuple[Any, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def paths(self) -> tuple[str, ...]:
        """Where the images lie."""
        return tuple(image_path(self.dataset, i) for i in self.indices)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Batches of one image, as a detector's ``test_step`` takes them.

        Raises:
            DataError: An image is missing or does not decode; names it.
        """
        for index in self.indices:
            info = self.dataset.get_data_info(index)  # type: ignore[attr-defined]
            path = info.get('img_path', f'image {index}')
            with naming(str(path), 'calibration'):
                sample = self.dataset[index]
            yield pseudo_collate([sample])


def build_dataset(config: Mapping[str, Any], what: str) -> Any:
    """Builds an mmdet dataset; errors name the annotation file.

    Args:
        config (Mapping): A dataset config.
        what (str): What it is for, for messages.

    Raises:
        DataError: The annotations cannot be read, or there are none.
    """
    try:
        # pycocotools tells its progress to stdout, where the table goes
        with contextlib.redirect_stdout(io.StringIO()):
            dataset = DATASETS.build(dict(config))
    except IGQError as error:
        raise type(error)(f'{what}: {error}') from error
    except FileNotFoundError as error:
        raise DataError(
            f'{what}: {error.filename or error} is not there; fix data_root '
            'or ann_file'
        ) from error
    except Exception as error:  # a dataset can be any code
        name = os.path.join(
            str(config.get('data_root', '')), str(config.get('ann_file', ''))
        )
        if 'need at least one array' in str(error):  # mmengine, serializing
            raise DataError(f'{what}: {name} lists no images') from error
        if name.endswith('.json') and os.path.isfile(name):
            check_coco_file(name, masks=False)  # if that is why, it says so
        raise DataError(
            f'{what}: cannot read {name} ({type(error).__name__}: {error})'
        ) from error
    if len(dataset) == 0:
        raise DataError(f'{what}: {config.get("ann_file")} lists no images')
    return dataset


def choose_images(
    dataset: Any,
    num_images: int = 1,
    seed: int = 0,
    evaluation: Any = None,
    allow_evaluation: bool = False,
    where: Mapping[str, Any] | None = None,
) -> CalibrationSet:
    """Draws calibration images without repetition.

    Args:
        dataset: An mmdet dataset in test mode.
        num_images (int): How many. Defaults to 1.
        seed (int): Seed of the draw. Defaults to 0.
        evaluation: The dataset AP is measured on. Defaults to None.
        allow_evaluation (bool): Whether images of ``evaluation`` may be
            drawn. Defaults to False.
        where (Mapping, optional): Draw only images whose fields in the
            annotation file have these values.

    Raises:
        DataError: Too many images asked for, images of the evaluation
            drawn without leave, or no image like ``where``.
    """
    for name, value in (('number of images', num_images), ('seed', seed)):
        if type(value) is not int or not 0 <= value < 2**63:
            raise DataError(
                f'calibration {name} must be an integer from 0, got '
                f'{reprlib.repr(value)}'
            )
    if not isinstance(allow_evaluation, bool):
        raise DataError(
            'calibration allow_evaluation must be True or False, got '
            f'{reprlib.repr(allow_evaluation)}'
        )
    where = {key: str(value) for key, value in (where or {}).items()}
    among = _indices(dataset, where)
    if not 1 <= num_images <= len(among):
        like = ''.join(
            f' with {key} {value!r}' for key, value in where.items()
        )
        raise DataError(
            f'cannot calibrate on {num_images} images; the calibration set '
            f'has {len(among)}{like}, choose 1 to {len(among)}'
        )
    drawn = np.random.default_rng(seed).choice(
        len(among), num_images, replace=False
    )
    indices = tuple(among[index] for index in drawn)
    ids = tuple(_image_id(dataset, index) for index in indices)
    evaluated: tuple[Any, ...] = ()
    if evaluation is not None:
        there = {
            image_path(evaluation, index) for index in range(len(evaluation))
        }
        evaluated = tuple(
            image_id
            for image_id, index in zip(ids, indices, strict=True)
            if image_path(dataset, index) in there
        )
    if evaluated and not allow_evaluation:
        raise DataError(
            f'calibration image {evaluated[0]} is an evaluation image; use '
            'another calib_dataset, or allow it with --calib-on-eval '
            '(allow_evaluation=True in a config)'
        )
    return CalibrationSet(dataset, indices, seed, ids, evaluated, where)


def image_path(dataset: Any, index: int) -> str:
    """Where an image lies: an absolute path or an address.

    Args:
        dataset: An mmdet dataset.
        index (int): Of the image.
    """
    path = str(dataset.get_data_info(index).get('img_path', f'#{index}'))
    return path if '://' in path else os.path.abspath(path)


def _indices(dataset: Any, where: Mapping[str, str]) -> list[int]:
    """Images whose fields have the values asked for."""
    found = list(range(len(dataset)))
    for key, value in where.items():
        values = dataset_field(dataset, key)
        if value not in values.values():
            raise DataError(
                f'calibration where: no image has {key} {value!r}; there are '
                + ', '.join(map(repr, sorted(set(values.values()))))
            )
        found = [i for i in found if values[_image_id(dataset, i)] == value]
    return found


def _image_id(dataset: Any, index: int) -> Any:
    return dataset.get_data_info(index).get('img_id', index)
