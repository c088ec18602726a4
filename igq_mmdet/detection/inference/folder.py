"""Detects on many images into a folder; goes on where it was stopped."""

import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from ...errors import DataError
from ...files.atomic import replacing
from ...files.results_file import ResultsFile
from ..evaluation.drawings import draw_detections
from .coco_results import CocoIds, write_images, write_results
from .pictures import side_by_side
from .predictor import Predictor

PICTURES = 'vis'  # as DetInferencer calls it
UNFINISHED = 'unfinished'


class InferenceFolder:
    """Where drawings and results of some detectors go.

    ``vis/`` has a drawing of every image, all detectors side by side;
    ``NAME.bbox.json`` and ``NAME.segm.json`` are COCO results of each
    detector, ``images.json`` says what their numbers stand for. Every file
    appears whole or not at all, the JSON at the end. Until then a journal
    keeps what is detected.

    Args:
        path (str | PathLike): The folder; it is made.
        predictors (Mapping[str, Predictor]): By name; of the same classes.
        ids (CocoIds): Of all images that will be asked for.
        above (float): Scores up to this are not drawn; they are in the
            results. Defaults to 0.3.

    Attributes:
        unreadable (dict[str, str]): Why, by path of the image.

    Raises:
        DataError: The folder cannot be made.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        predictors: Mapping[str, Predictor],
        ids: CocoIds,
        above: float = 0.3,
    ) -> None:
        self.path = Path(path)
        self.predictors = predictors
        self.ids = ids
        self.classes = next(iter(predictors.values())).classes
        self.above = above
        self.unreadable: dict[str, str] = {}
        try:
            (self.path / PICTURES).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DataError(f'{path}: cannot be made ({error})') from error

    def run(
        self,
        images: Sequence[Path],
        bar: Callable[[Iterable[Path]], Iterable[Path]] = iter,
    ) -> list[Path]:
        """Detects on every image and writes everything.

        Args:
            images (Sequence[Path]): With names that differ.
            bar (Callable): Shows progress. Defaults to none.

        Returns:
            list[Path]: The JSON files.

        Raises:
            DataError: A drawing would replace an image.
        """
        for image in images:
            if self._picture(image).resolve() == image.resolve():
                raise DataError(
                    f'{image}: its drawing would replace it; choose another '
                    'folder to write to'
                )
        kept = ResultsFile(self.path, UNFINISHED, self._key())
        entries: dict[str, dict[str, Any]] = {}
        for image in bar(images):
            key = _image_key(image)
            if key not in kept or not self._picture(image).is_file():
                try:
                    read = self._read(image)
                except DataError as error:
                    self.unreadable[str(image)] = str(error)
                    continue
                kept.add(key, self._detect(image, *read))
            entries[image.name] = kept[key]
        written = self._write(entries) if entries else []
        for path in self.path.glob(f'{UNFINISHED}-*.jsonl'):
            path.unlink()  # also of commands that nobody went on with
        return written

    def _key(self) -> str:
        """Digest of what a kept image depends on, itself left out."""
        settings = [
            [name, predictor.title, predictor.identity()]
            for name, predictor in self.predictors.items()
        ]
        text = json.dumps([settings, self.above])
        return hashlib.sha256(text.encode()).hexdigest()

    def _picture(self, image: Path) -> Path:
        """The drawing of an image: always a JPEG."""
        is_jpeg = image.suffix.lower() in ('.jpg', '.jpeg')
        name = image.name if is_jpeg else f'{image.name}.jpg'
        return self.path / PICTURES / name

    def _read(self, image: Path) -> tuple[np.ndarray, dict[str, Any]]:
        """The image, and what each detector makes of it."""
        data = {name: one.read(image) for name, one in self.predictors.items()}
        return next(iter(self.predictors.values())).picture(image), data

    def _detect(
        self, image: Path, picture: np.ndarray, data: Mapping[str, Any]
    ) -> dict[str, Any]:
        found, drawings = {}, {}
        for name, predictor in self.predictors.items():
            found[name] = predictor.predict(data[name])
            drawings[predictor.title] = draw_detections(
                picture, found[name], predictor.classes, None, self.above
            )
        drawn = side_by_side(drawings)[..., ::-1]
        _, code = cv2.imencode('.jpg', np.ascontiguousarray(drawn))
        with replacing(self._picture(image)) as new:
            new.write_bytes(code.tobytes())
        return found

    def _write(self, entries: Mapping[str, Any]) -> list[Path]:
        written = []
        for name in self.predictors:
            own = {image: found[name] for image, found in entries.items()}
            written += write_results(self.path, name, own, self.ids)
        path = self.path / 'images.json'
        write_images(path, own, self.ids, self.classes)
        return [*written, path]


def _image_key(image: Path) -> str:
    """Where an image lies, and what changes when it is replaced."""
    stat = image.stat()
    return f'{image.resolve()} {stat.st_size} {stat.st_mtime_ns}'
