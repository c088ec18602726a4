"""Binary maps of camouflaged and salient objects: data, metric, models.

Imports: errors, registry, report.differences.
"""

from ..errors import MissingDependencyError

try:
    import mmengine  # noqa: F401
except ImportError as error:
    raise MissingDependencyError(
        f'igq_mmdet.segmentation needs mmengine ({error}); '
        "pip install 'igq_mmdet[mm,segmentation]'"
    ) from error

from .map_metric import MapMetric

__all__ = ['MapMetric']
