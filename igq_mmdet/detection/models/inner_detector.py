"""The detector inside whatever wraps it: DDP, test-time augmentation."""

from typing import Any

from mmengine.model import BaseTTAModel, is_model_wrapper
from torch import nn


def _wraps(model: nn.Module) -> bool:
    return is_model_wrapper(model) or isinstance(model, BaseTTAModel)


def inner_detector(model: Any) -> nn.Module:
    """The innermost model.

    Args:
        model (nn.Module): A detector, or wrappers around one.
    """
    while _wraps(model):
        model = model.module
    return model


def put_inner_detector(owner: Any, detector: nn.Module) -> None:
    """Puts another detector in the place of the innermost model.

    Args:
        owner (Runner): Whose ``model`` is wrapped.
        detector (nn.Module): What to put in place.
    """
    name = 'model'
    while _wraps(getattr(owner, name)):
        owner, name = getattr(owner, name), 'module'
    setattr(owner, name, detector)
