"""What a report is about: which detector, on which images."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..data.calibration_set import image_path
from ..data.images_named import pipeline_text


def subject(
    config: Any,
    dataset: Any,
    by: Mapping[str, Mapping[str, int]] | None = None,
) -> dict[str, Any]:
    """Names detector and images, so that reports can tell them apart.

    Paths of the machine do not count: the same images read from another
    folder are the same.

    Args:
        config (Config): What the detector was built from.
        dataset (Dataset): What it is evaluated on.
        by (Mapping, optional): From :func:`report_ap_by`.

    Returns:
        dict: ``config`` (name of its file), ``model`` and ``data``
        (digests of architecture and of images with their preparation),
        ``images`` (how many), ``classes`` and, where AP is reported by a
        field of the images, ``by`` (how many of each value).
    """
    model = config['model']
    filename = getattr(config, 'filename', None)
    names = [Path(image_path(dataset, i)).name for i in range(len(dataset))]
    classes = dataset.metainfo.get('classes') or ()
    return {
        'config': Path(filename).stem if filename else str(model['type']),
        'model': _digest(model),
        'data': _digest([names, pipeline_text(dataset)]),
        'images': len(names),
        'classes': list(map(str, classes)),
        **({'by': {key: dict(by[key]) for key in by}} if by else {}),
    }


def _digest(value: Any) -> str:
    if isinstance(value, Mapping):
        value = dict(value)
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
