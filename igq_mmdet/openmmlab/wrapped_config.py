"""The config of a wrapped detector, read by tools that know no wrapper.

``init_detector`` and mmdet's analysis tools look up ``config.model.backbone``
and the like. A field that ``dict(type='igq_mmdet.IGQDetector', detector=...)``
lacks is therefore that of the detector; what the mapping itself holds, and how
it is written, copied or built, stays as it is.
"""

from collections.abc import Mapping
from typing import Any

from mmengine.config import ConfigDict

WRAPPERS = ('igq_mmdet.IGQDetector', 'IGQDetector')


def field_of_detector(config: ConfigDict, name: str) -> Any:
    """See ``ConfigDict.__missing__``, which always raises.

    Raises:
        KeyError: No such field, nor one of a wrapped detector.
    """
    if dict.get(config, 'type') in WRAPPERS:
        detector = dict.get(config, 'detector')
        if isinstance(detector, dict) and name in detector:
            return detector[name]
    raise KeyError(name)


def unwrapped(model: Mapping[str, Any]) -> Any:
    """The config of the detector itself.

    Args:
        model (Mapping): Config of a model, wrapped or not.
    """
    return model['detector'] if model.get('type') in WRAPPERS else model


ConfigDict.__missing__ = field_of_detector
