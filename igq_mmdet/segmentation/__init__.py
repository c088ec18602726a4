"""Binary maps of camouflaged and salient objects: data, metric, models.

Imports: detection.data, errors, registry, report.differences.
"""

from ..errors import MissingDependencyError

try:
    import mmengine  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        f'igq_mmdet.segmentation needs mmengine ({error}); '
        "pip install 'igq_mmdet[mm,segmentation]'"
    ) from error

from .map_dataset import MapDataset
from .map_metric import MapMetric
from .map_model import MapModel
from .pack_map import PackMap
from .pretrained_vit import saliency_vit

__all__ = ['MapDataset', 'MapMetric', 'MapModel', 'PackMap', 'saliency_vit']
