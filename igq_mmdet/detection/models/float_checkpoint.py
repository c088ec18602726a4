"""Float checkpoints of detectors: read without pickle's dangers, strictly."""

import os
import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

import torch
from mmengine.runner.checkpoint import CheckpointLoader
from torch import Tensor, nn

from ...errors import CheckpointError
from ...openmmlab.quantized_models import QUANTIZED
from ...openmmlab.safetensors_files import float32
from ..data.class_order import check_class_order, recorded_classes

# Of torch.load: also where all of pickle is asked for.
WEIGHTS_ONLY = {
    'TORCH_FORCE_WEIGHTS_ONLY_LOAD': '1',
    'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD': '0',
}

# Recomputed by mmdet when the model is built; older files lack some.
_DERIVED = ('relative_position_index', 'num_batches_tracked')


def _content(filename: str) -> Any:
    """What a file holds; nobody on the way may try again with all of pickle.

    onedl-mmengine does so, and lets a file reach for any attribute.
    """
    if os.path.isfile(filename) and not filename.endswith('.safetensors'):
        return torch.load(filename, map_location='cpu', weights_only=True)
    with mock.patch.dict(os.environ, WEIGHTS_ONLY):
        return CheckpointLoader.load_checkpoint(
            filename, map_location='cpu', logger='silent'
        )


def read_float_checkpoint(filename: str) -> dict[str, Tensor]:
    """The float weights in a ``.pth`` or ``.safetensors`` file.

    Args:
        filename (str): Path, or an address mmengine can fetch.

    Returns:
        dict[str, Tensor]: State dict in float32.

    Raises:
        CheckpointError: Missing, damaged, quantized, or holds objects
            other than weights and mmengine's log buffers.
    """
    return _read(filename)[0]


def _read(filename: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Weights, and the classes they were trained for if the file says so."""
    if '://' not in filename and not os.path.isfile(filename):
        raise CheckpointError(
            f'{filename}: no such checkpoint; download it or fix the path'
        )
    try:
        content = _content(filename)
    except CheckpointError:
        raise
    except Exception as error:
        raise CheckpointError(
            f'{filename}: cannot be read as a checkpoint ({_reason(error)})'
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f'{filename}: holds no state dict of tensors')
    if QUANTIZED in content:
        raise CheckpointError(
            f'{filename}: is quantized already; use it with --load'
        )
    state = content.get('state_dict', content)
    if not isinstance(state, Mapping) or not all(
        isinstance(key, str) and isinstance(value, Tensor)
        for key, value in state.items()
    ):
        raise CheckpointError(f'{filename}: holds no state dict of tensors')
    prefix = 'module.'
    weights = OrderedDict(
        (key.removeprefix(prefix), value) for key, value in state.items()
    )
    return float32(weights), recorded_classes(content)


def load_float_checkpoint(
    model: nn.Module, filename: str, classes: Sequence[str] = ()
) -> None:
    """Loads float weights into a detector and checks that they fit.

    Args:
        model (nn.Module): A float detector; it is changed.
        filename (str): See :func:`read_float_checkpoint`.
        classes (Sequence[str]): What it is evaluated on, by label. Defaults
            to nothing, which fits anything.

    Raises:
        CheckpointError: The file is for another architecture, and names the
            first keys that do not fit; or for classes in another order.
    """
    state, trained = _read(filename)
    check_class_order(filename, trained, classes)
    problem = misfit(model, state)
    if problem:
        raise CheckpointError(f'{filename}: {problem}')
    own = model.state_dict()
    model.load_state_dict(
        {key: value for key, value in state.items() if key in own},
        strict=False,
    )


def misfit(model: nn.Module, state: Mapping[str, Tensor]) -> str | None:
    """Why a state dict does not fit a model; mmengine would only log it.

    Args:
        model (nn.Module): A float detector.
        state (Mapping[str, Tensor]): What is going to be loaded into it.

    Returns:
        str, optional: One line that names the first keys that do not fit.
    """
    own = model.state_dict()
    missing = [k for k in own if k not in state and not _derived(k)]
    unknown = [k for k in state if k not in own and not _derived(k)]
    shapes = [
        f'{k} {tuple(state[k].shape)} instead of {tuple(own[k].shape)}'
        for k in own
        if k in state and state[k].shape != own[k].shape
    ]
    kinds = [
        f'{k} {state[k].dtype} {state[k].layout}'
        for k in own
        if k in state and not _derived(k) and not _values_of(state[k], own[k])
    ]
    problems = [
        f'{kind} {len(keys)} ({", ".join(keys[:3])})'
        for kind, keys in (
            ('missing', missing),
            ('unknown', unknown),
            ('other shape', shapes),
            ('no plain numbers of its kind', kinds),
        )
        if keys
    ]
    if not problems:
        return None
    return 'made for another architecture than the config; keys ' + '; '.join(
        problems
    )


def _reason(error: Exception) -> str:
    """What is wrong with a file, without advice to read it unsafely."""
    text = str(error).strip() or repr(error)
    found = re.search(r'(?:GLOBAL|type) ([\w.]+)', text)
    if 'Weights only' in text and found:
        return (
            f'it holds {found.group(1)}, which is no weight; objects other '
            'than weights and logs are not loaded'
        )
    if 'Weights only' in text:
        return 'damaged, or not a file of weights'
    return text.splitlines()[0]


def _values_of(value: Tensor, own: Tensor) -> bool:
    """Whether copying gives a model's tensor the very values of another."""
    plain = value.layout == torch.strided and not value.is_meta
    same = value.is_floating_point() == own.is_floating_point()
    return plain and same and not (value.is_complex() or value.is_quantized)


def _derived(key: str) -> bool:
    return key.endswith(_DERIVED)
