"""A detector with its own test pipeline, one image at a time."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mmcv
import numpy as np
import torch
from mmcv.transforms import LoadImageFromFile
from mmdet.structures.mask import mask2bbox
from mmdet.utils import get_test_pipeline_cfg
from mmengine.dataset import Compose, pseudo_collate

from ...errors import DataError
from ...files.results_file import digest
from ..data.images_named import NamedImages, naming
from ..kept.evaluation_identity import version_list
from ..kept.prediction_lines import CannotKeep, to_entry


class Predictor:
    """Predicts as an evaluation with batches of one does.

    Args:
        detector (nn.Module): From :func:`load_detector`, or its integer
            form.
        title (str): Stands above its drawings.
    """

    def __init__(self, detector: Any, title: str) -> None:
        self.detector = detector
        self.title = title
        meta: Mapping[str, Any] = self.detector.dataset_meta
        self.classes = tuple(meta.get('classes') or ())
        pipeline = Compose(get_test_pipeline_cfg(self.detector.cfg))
        self.pipeline = NamedImages(pipeline, sized=False, use='input')

    def identity(self) -> str:
        """Digest of all that a prediction depends on but the image."""
        spec: Any = getattr(self.detector, 'igq_spec', None)
        settings = [
            None if spec is None else spec.to_dict(),
            hasattr(self.detector, 'igq_runtime'),  # executed on integers
            str(get_test_pipeline_cfg(self.detector.cfg)),
            str(self.detector.cfg.model),
            version_list(self.detector),
        ]
        return digest(self.detector.state_dict(), settings)

    def read(self, path: Path) -> Any:
        """The input that the test pipeline makes of an image.

        Args:
            path (Path): Of the image.

        Raises:
            DataError: It cannot be read.
        """
        return self.pipeline({'img_path': str(path), 'img_id': 0})

    def picture(self, path: Path) -> np.ndarray:
        """The image itself as the test pipeline loads it.

        Args:
            path (Path): Of the image.

        Returns:
            np.ndarray: RGB, (height, width, 3).

        Raises:
            DataError: It cannot be read.
        """
        flags = [
            step.color_type
            for step in self.pipeline.transforms
            if isinstance(step, LoadImageFromFile)
        ]
        with naming(str(path), 'input'):
            return mmcv.imread(
                path, (flags or ['color'])[0], channel_order='rgb'
            )

    def predict(self, data: Any) -> dict[str, Any]:
        """Detections on one image.

        Args:
            data: From :meth:`read`.

        Returns:
            dict: As prediction stores keep them, JSON-ready.

        Raises:
            DataError: The detector gives no instances, or classes that the
                config has no names for.
        """
        with torch.no_grad():
            (sample,) = self.detector.test_step(pseudo_collate([data]))
        for key in list(sample.keys()):
            # of panoptic models: COCO's results are of instances
            if key.startswith('pred_') and key != 'pred_instances':
                delattr(sample, key)
        found = sample.get('pred_instances')
        if found is not None and 'bboxes' not in found and 'masks' in found:
            found.bboxes = mask2bbox(found.masks)
        try:
            entry = to_entry(sample, None, with_truth=False)
        except CannotKeep as error:
            raise DataError(f'{self.title}: {error}') from error
        if any(label >= len(self.classes) for label in entry['labels']):
            raise DataError(
                f'{self.title}: label {max(entry["labels"])} found, but the '
                f"config's data set has {len(self.classes)} classes"
            )
        return entry
