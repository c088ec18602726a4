"""The old address of :mod:`igq_mmdet.detection`: works, with a warning."""

import sys
import warnings

from .detection import (
    IGQDetector,
    IGQHook,
    PreciseCocoMetric,
    load_float_checkpoint,
)
from .detection.evaluation import precise_coco_metric
from .detection.plugin import igq_detector, igq_hook

__all__ = [
    'IGQDetector',
    'IGQHook',
    'PreciseCocoMetric',
    'load_float_checkpoint',
]

warnings.warn(
    'igq_mmdet.engine is now igq_mmdet.detection; configs need only '
    "custom_imports = dict(imports=['igq_mmdet'])",
    FutureWarning,
    stacklevel=2,
)

# What docs/api.md used to list.
for module in (igq_detector, igq_hook, precise_coco_metric):
    name = module.__name__.rpartition('.')[2]
    sys.modules[f'{__name__}.{name}'] = module
