"""Everything that knows mmengine or mmdet.

Imports: detection.evaluation, detection.inference, detection.models,
detection.plugin, errors.
"""

import io
import warnings
from contextlib import redirect_stdout

from ..errors import MissingDependencyError

try:
    import mmcv.ops  # noqa: F401
    import mmengine  # noqa: F401

    # the maintained fork prints what it means for a debug log, and warns of
    # a metric that nobody asked for
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.filterwarnings('ignore', 'faster_coco_eval is not installed')
        import mmdet.datasets
        import mmdet.evaluation  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        f'igq_mmdet needs mmdet for this ({error}); install torch first, '
        "then: pip install 'setuptools<82' && "
        "pip install --no-build-isolation 'igq_mmdet[mm]'"
    ) from error

from .evaluation.precise_coco_metric import PreciseCocoMetric
from .inference.load_detector import load_detector
from .models.float_checkpoint import load_float_checkpoint
from .plugin.igq_detector import IGQDetector
from .plugin.igq_hook import IGQHook

__all__ = [
    'IGQDetector',
    'IGQHook',
    'PreciseCocoMetric',
    'load_detector',
    'load_float_checkpoint',
]
