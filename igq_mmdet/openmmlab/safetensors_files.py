"""safetensors files for mmengine's ``load_from`` and ``load_checkpoint``."""

import os
from collections import OrderedDict
from typing import Any

from mmengine.runner.checkpoint import CheckpointLoader
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from ..checkpoints.file import FORMAT, read
from ..errors import CheckpointError
from .quantized_models import QUANTIZED
from .stored_config import stored_meta


@CheckpointLoader.register_scheme(prefixes=r'.*\.safetensors$')
def load_from_safetensors(
    filename: str, map_location: Any = None
) -> dict[str, Any]:
    """Loader for mmengine: float or quantized files.

    Args:
        filename (str): A safetensors file.
        map_location: Not used; tensors are copied into the model anyway.

    Returns:
        dict: ``state_dict``. For a quantized file it is empty but for its
        metadata, where the model that loads it finds the verified
        :class:`~igq_mmdet.checkpoints.file.QuantCheckpoint`; who knows
        nothing of that copies no codes. That checkpoint is also under
        ``igq_checkpoint``, and ``meta`` has the config and the classes
        where mmdet looks for them.

    Raises:
        CheckpointError: The file is missing or damaged.
    """
    filename = os.path.expanduser(filename)
    if not os.path.isfile(filename):
        raise CheckpointError(f'{filename}: no such file')
    try:
        with safe_open(filename, framework='pt') as file:
            quantized = (file.metadata() or {}).get('format') == FORMAT
        if not quantized:
            return {'state_dict': float32(OrderedDict(load_file(filename)))}
    except Exception as error:  # safetensors raises its own and OSError
        raise CheckpointError(
            f'{filename}: damaged or not a safetensors file ({error})'
        ) from error
    checkpoint = read(filename)
    state: OrderedDict[str, Tensor] = OrderedDict()
    state._metadata = {'': {QUANTIZED: checkpoint}}  # type: ignore[attr-defined]
    return {
        'state_dict': state,
        QUANTIZED: checkpoint,
        'meta': stored_meta(checkpoint),
    }


def float32(state: 'OrderedDict[str, Tensor]') -> 'OrderedDict[str, Tensor]':
    """A state dict whose floats are float32, in place.

    Args:
        state (OrderedDict[str, Tensor]): Of any precision.
    """
    for key, value in state.items():
        if value.is_floating_point():
            state[key] = value.float()
    return state
