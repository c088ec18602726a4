"""What the content of a checkpoint must be before anybody uses it."""

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from ..errors import CheckpointError
from ..modules.swap import quantized_layers


def check_info(info: Any) -> dict[str, Any]:
    """The metadata beside the spec, in the form that readers rely on.

    Args:
        info (Any): Parsed JSON.

    Raises:
        ValueError: Says which field is not what it should be.
    """
    if not isinstance(info, dict):
        raise ValueError('info is not a JSON object')
    for field in ('versions', 'calibration', 'workloads'):
        if not isinstance(info.get(field, {}), dict):
            raise ValueError(f'info.{field} is not a JSON object')
    calibration = info.get('calibration', {})
    if not _is_count(calibration.get('seed', 0)):
        raise ValueError('info.calibration.seed is not an integer from 0')
    for field in ('image_ids', 'evaluation_images'):
        if not isinstance(calibration.get(field, []), list):
            raise ValueError(f'info.calibration.{field} is not a list')
    for name, work in info.get('workloads', {}).items():
        field = f'info.workloads[{name!r}]'
        if not isinstance(work, dict) or work.keys() - {'calls', 'sizes'}:
            raise ValueError(f'{field} is not calls and sizes')
        if not _is_count(work.get('calls', 0)):
            raise ValueError(f'{field}.calls is not an integer from 0')
        sizes = work.get('sizes', {})
        if not isinstance(sizes, dict) or not all(
            _is_size(size) for size in sizes.values()
        ):
            raise ValueError(f'{field}.sizes are not numbers from 0')
    return info


def check_state(
    model: nn.Module, state: Mapping[str, Tensor], path: str
) -> None:
    """One clear line instead of torch's list of every key.

    Args:
        model (nn.Module): With frozen layers, without values.
        state (Mapping[str, Tensor]): What is going to be loaded.
        path (str): Of the file, for messages.

    Raises:
        CheckpointError: Names the first tensors that cannot be the model's.
    """
    own = model.state_dict()
    missing = [key for key in own if key not in state]
    unknown = [key for key in state if key not in own]
    if missing or unknown:
        raise CheckpointError(
            f'{path}: made for another model; '
            f'missing {_some(missing)}, unknown {_some(unknown)}'
        )
    for key, value in own.items():
        if value.shape != state[key].shape or value.dtype != state[key].dtype:
            raise CheckpointError(
                f'{path}: {key} is {state[key].dtype} '
                f'{tuple(state[key].shape)}, the model has {value.dtype} '
                f'{tuple(value.shape)}: made for another model'
            )
        # masks of some models hold infinity when they are built
        if value.isfinite().all() and not state[key].isfinite().all():
            raise CheckpointError(
                f'{path}: {key} holds NaN or infinity; make the file again'
            )
    for name, layer in quantized_layers(model).items():
        _check_numbers(f'{name}.'.lstrip('.'), layer, state, path)


def _check_numbers(
    prefix: str, layer: Any, state: Mapping[str, Tensor], path: str
) -> None:
    key = f'{prefix}weight_scale'
    if key in state and not (state[key] > 0).all():
        raise CheckpointError(
            f'{path}: {key} is not positive; make the file again'
        )
    for child in layer.quantizers():
        lower = state.get(f'{prefix}{child}.lower')
        upper = state.get(f'{prefix}{child}.upper')
        if lower is None or upper is None or (lower <= upper).all():
            continue
        raise CheckpointError(
            f'{path}: {prefix}{child} has a lower bound above the upper; '
            'make the file again'
        )


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_size(value: Any) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return 0 <= value <= 2**63 and math.isfinite(value)


def _some(keys: list[str]) -> str:
    if not keys:
        return 'none'
    more = f' and {len(keys) - 3} more' if len(keys) > 3 else ''
    return ', '.join(keys[:3]) + more
