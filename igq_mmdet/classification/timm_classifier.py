"""timm models with the preprocessing that goes with their weights."""

import os
from typing import Any

from ..errors import DataError, MissingDependencyError, SpecError


def timm_with(name: str) -> Any:
    """The package timm, which has a model of this name.

    Args:
        name (str): timm's name of the model, perhaps with a tag.

    Raises:
        MissingDependencyError: timm is not installed.
        SpecError: It has no such model.
    """
    try:
        import timm
    except ImportError as error:
        raise MissingDependencyError(
            'timm is not installed; pip install igq_mmdet[timm]'
        ) from error
    if not timm.is_model(name.split('.')[0]):
        raise SpecError(f'timm has no model {name!r}; see timm.list_models()')
    return timm


def timm_classifier(name: str, checkpoint: str | None = None) -> Any:
    """A timm model and the transform its preprocessing asks for.

    Args:
        name (str): timm's name of the model.
        checkpoint (str, optional): A file with its weights. Defaults to
            the published ones.

    Returns:
        tuple[nn.Module, Callable]: Model and transform, both from the
        model's ``pretrained_cfg``, not from its name.

    Raises:
        SpecError: timm has no such model.
        DataError: The weights cannot be had.
    """
    timm = timm_with(name)
    if checkpoint is not None and not os.path.isfile(checkpoint):
        raise DataError(f'{checkpoint}: no such checkpoint')
    try:
        model = timm.create_model(
            name,
            pretrained=checkpoint is None,
            checkpoint_path=checkpoint or '',
        )
    except Exception as error:  # the network, or keys that do not fit
        reason = ' '.join(str(error).split())[:200]
        raise DataError(f'{name}: weights cannot be had ({reason})') from error
    config = timm.data.resolve_data_config({}, model=model)
    transform = timm.data.create_transform(**config, is_training=False)
    return model.eval(), transform
