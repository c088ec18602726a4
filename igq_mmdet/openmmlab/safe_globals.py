"""What mmengine's checkpoints hold beside tensors, for torch >= 2.6.

torch then reads weights only, and refuses published mmdet checkpoints for
the statistics of their training logs.
"""

import pickle
from typing import Any

import numpy as np
import torch
from mmengine.logging.history_buffer import HistoryBuffer

_STATISTICS = ('min', 'max', 'current', 'mean')


def _statistic(owner: Any, name: str) -> Any:
    """Stands for ``getattr``, by which buffers pickle their statistics.

    The real one would hand a hostile file any attribute of any object.
    """
    if owner is not HistoryBuffer or name not in _STATISTICS:
        raise pickle.UnpicklingError(
            f'Weights only: GLOBAL getattr of {name!r} is not allowed'
        )
    return getattr(owner, name)


# What mmengine's Runner pickles beside tensors: the message hub's buffers.
_NUMPY_CORE = np._core if hasattr(np, '_core') else np.core
SAFE_GLOBALS: list[Any] = [
    HistoryBuffer,
    (_statistic, 'builtins.getattr'),
    np.ndarray,
    np.dtype,
    *(
        type(np.dtype(name))
        for name in ('float64', 'float32', 'int64', 'int32', 'uint8', 'bool')
    ),
    *(
        (function, f'numpy.{core}.multiarray.{function.__name__}')
        for function in (
            _NUMPY_CORE.multiarray._reconstruct,
            _NUMPY_CORE.multiarray.scalar,
        )
        for core in ('core', '_core')
    ),
]
torch.serialization.add_safe_globals(SAFE_GLOBALS)
