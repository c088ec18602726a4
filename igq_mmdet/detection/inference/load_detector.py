"""Detectors that are ready for mmdet's ``inference_detector``."""

import os
from typing import Any

from mmengine.config import Config
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, init_default_scope
from torch import nn

from ... import checkpoints
from ...errors import SpecError
from ...openmmlab.stored_config import dataset_meta, stored_config
from ...openmmlab.wrapped_config import unwrapped
from ..models.float_checkpoint import load_float_checkpoint


def load_detector(
    filename: str | os.PathLike[str], device: str | None = None
) -> nn.Module:
    """The quantized detector of a file; nothing else is needed.

    The file keeps the config it was made with, which is read as data, not
    run. What the config names has to be installed: mmdet, and whatever its
    ``custom_imports`` says.

    Args:
        filename (str | PathLike): From ``tools/ptq_coco.py --save`` or
            ``IGQHook(save=...)``.
        device (str, optional): Where to put it. Defaults to a GPU if there
            is one, as mmdet does.

    Returns:
        nn.Module: In evaluation mode, for mmdet's ``inference_detector``
        and :func:`igq_mmdet.to_integer`; ``cfg`` is the part of the config
        that inference needs, ``dataset_meta`` has ``classes``.

    Raises:
        CheckpointError: The file is missing, damaged, keeps no config or
            one that cannot be used.
        SpecError: What the config names cannot be built here.
    """
    checkpoint = checkpoints.read(filename)
    config = stored_config(checkpoint)
    detector = _built(config)
    return _ready(checkpoints.restore_(detector, checkpoint), config, device)


def load_float_detector(
    config: Config, filename: str, device: str | None = None
) -> nn.Module:
    """The float detector of a config, with weights that must fit it.

    Args:
        config (Config): A test config.
        filename (str): See :func:`load_float_checkpoint`.
        device (str, optional): See :func:`load_detector`.

    Returns:
        nn.Module: Like that of :func:`load_detector`.

    Raises:
        CheckpointError: The weights cannot be read or do not fit.
    """
    detector = _built(config)
    load_float_checkpoint(detector, filename)
    return _ready(detector, config, device)


def _built(config: Config) -> nn.Module:
    init_default_scope(config.get('default_scope', 'mmdet'))
    try:
        return revert_sync_batchnorm(MODELS.build(unwrapped(config.model)))
    except Exception as error:  # a config can name any code
        raise SpecError(
            f'the config cannot be built ({type(error).__name__}: {error})'
        ) from error


def _ready(detector: Any, config: Config, device: str | None) -> nn.Module:
    detector.cfg = config
    detector.dataset_meta = {'palette': 'random', **dataset_meta(config)}
    ready: nn.Module = detector.to(device or get_device()).eval()
    return ready
