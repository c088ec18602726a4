"""Packages that mmdet's metrics need and mmdet does not install."""

import importlib.util
from collections.abc import Mapping, Sequence
from typing import Any

from mmdet.evaluation import CityScapesMetric, CocoPanopticMetric, LVISMetric

from ...errors import MissingDependencyError
from .belongs_together import metric_class

NEEDS = {
    LVISMetric: ('lvis', 'lvis'),
    CocoPanopticMetric: (
        'panopticapi',
        'git+https://github.com/cocodataset/panopticapi.git',
    ),
    CityScapesMetric: ('cityscapesscripts', 'cityscapesscripts'),
}


def check_packages(evaluators: Sequence[Mapping[str, Any]]) -> None:
    """Refuses metrics whose package is missing.

    Args:
        evaluators (Sequence[Mapping]): Configs of metrics.

    Raises:
        MissingDependencyError: Says what to install.
        SpecError: A metric that does not exist.
    """
    for evaluator in evaluators:
        kind = metric_class(evaluator)
        for base, (package, source) in NEEDS.items():
            missing = importlib.util.find_spec(package) is None
            if missing and issubclass(kind, base):
                raise MissingDependencyError(
                    f'test_evaluator: {kind.__name__} needs the package '
                    f'{package}; pip install {source}'
                )
