"""Saves and rebuilds quantized models: packed codes, strict."""

import copy
import dataclasses
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CheckpointError, SpecError
from ..modes import in_ordinary_modes
from ..modules.base import QuantModule, Workload
from ..modules.plan import make_plan
from ..modules.swap import quantized_layers, swap_
from ..modules.weight_module import QuantWeightModule
from ..quantizers import pack, packed_size, unpack
from ..version import __version__
from .checks import check_state
from .file import QuantCheckpoint, in_memory, read, write

CODES = '.weight_codes'


def save(
    model: nn.Module,
    path: str | os.PathLike[str],
    info: Mapping[str, Any] | None = None,
) -> str:
    """Writes a calibrated model; the file appears whole or not at all.

    Args:
        model (nn.Module): Quantized, calibrated and frozen.
        path (str | PathLike): Target, by convention ``*.safetensors``.
        info (Mapping, optional): More metadata, JSON-ready.

    Returns:
        str: The digest stored in the file.

    Raises:
        CheckpointError: The model is not frozen, or cannot be written.
    """
    return write(Path(path), packed(model, info))


@in_ordinary_modes
def packed(
    model: nn.Module, info: Mapping[str, Any] | None = None
) -> QuantCheckpoint:
    """What :func:`save` writes, in memory.

    Args:
        model (nn.Module): Quantized, calibrated and frozen.
        info (Mapping, optional): More metadata, JSON-ready.

    Raises:
        CheckpointError: The model is not frozen.
    """
    spec = getattr(model, 'igq_spec', None)
    if spec is None:
        raise CheckpointError('not a quantized model; call igq.quantize first')
    layers = quantized_layers(model)
    for name, layer in layers.items():
        ready = all(q.ready for q in layer.quantizers().values())
        if not ready or (
            isinstance(layer, QuantWeightModule) and not layer.frozen
        ):
            raise CheckpointError(
                f'{name} is not calibrated; call igq.calibrate before igq.save'
            )
    content = {
        'versions': {'igq_mmdet': __version__, 'torch': torch.__version__},
        'workloads': {
            name: dataclasses.asdict(layer.workload)
            for name, layer in layers.items()
        },
        **(info or {}),
    }
    return in_memory(_packed_state(model), spec, content)


@in_ordinary_modes
def stored_bytes(model: nn.Module) -> int:
    """Bytes that the tensors of a frozen model take in a file.

    Args:
        model (nn.Module): Quantized and frozen.
    """
    tensors = _packed_state(model)
    return sum(tensor.nbytes for tensor in tensors.values())


def load(model: nn.Module, path: str | os.PathLike[str]) -> nn.Module:
    """Rebuilds a quantized model from a file, strictly.

    Args:
        model (nn.Module): The float model the file was made from; its
            weights do not matter and are left as they are.
        path (str | PathLike): From :func:`save`.

    Returns:
        nn.Module: A quantized copy of ``model``.

    Raises:
        CheckpointError: The file is missing, damaged, of a newer format,
            or made for another model.
    """
    return restore(model, read(path))


@in_ordinary_modes
def restore(model: nn.Module, checkpoint: QuantCheckpoint) -> nn.Module:
    """The second half of :func:`load`, from a file read already.

    Args:
        model (nn.Module): The float model.
        checkpoint (QuantCheckpoint): From :func:`read`.

    Returns:
        nn.Module: A quantized copy of ``model``.
    """
    return restore_(copy.deepcopy(model), checkpoint)


def restore_(model: nn.Module, checkpoint: QuantCheckpoint) -> nn.Module:
    """Like :func:`restore`, in place.

    Args:
        model (nn.Module): The float model; it is changed, and of no use
            any more if the file is refused.
        checkpoint (QuantCheckpoint): From :func:`read`.

    Returns:
        nn.Module: ``model``, or what stands for it if it is itself a
        layer.
    """
    qmodel = frozen_skeleton(model, checkpoint)
    state = unpacked_state(qmodel, checkpoint)
    check_state(qmodel, state, checkpoint.path)
    qmodel.load_state_dict(state, strict=True)
    adopt_workloads(qmodel, checkpoint)
    return qmodel


def frozen_skeleton(
    model: nn.Module, checkpoint: QuantCheckpoint
) -> nn.Module:
    """Swaps in frozen layers without values, in place.

    Args:
        model (nn.Module): The float model; it is changed.
        checkpoint (QuantCheckpoint): What is going to be loaded.

    Raises:
        CheckpointError: The spec does not fit the model.
    """
    try:
        plan = make_plan(model, checkpoint.spec)
    except SpecError as error:
        raise CheckpointError(
            f'{checkpoint.path}: made for another model ({error})'
        ) from error
    qmodel = swap_(model, plan)
    for layer in quantized_layers(qmodel).values():
        if isinstance(layer, QuantWeightModule):
            layer.frozen_like()
    qmodel.igq_spec = checkpoint.spec  # type: ignore[assignment]
    return qmodel


def unpacked_state(
    model: nn.Module, checkpoint: QuantCheckpoint
) -> dict[str, Tensor]:
    """The state dict with codes of one a byte, as modules hold them.

    Args:
        model (nn.Module): From :func:`frozen_skeleton`.
        checkpoint (QuantCheckpoint): Whose tensors to unpack.

    Raises:
        CheckpointError: Codes of a size that does not fit the model.
    """
    state = dict(checkpoint.tensors)
    for name, layer in _every_name(model):
        key = f'{name}{CODES}'.lstrip('.')
        if not isinstance(layer, QuantWeightModule) or key not in state:
            continue
        like, bits = layer.weight_codes, layer.config.w_bits
        expected = packed_size(like.numel(), bits)
        if state[key].dtype != torch.uint8 or state[key].shape != (expected,):
            raise CheckpointError(
                f'{checkpoint.path}: {key} has shape '
                f'{tuple(state[key].shape)}, expected ({expected},): made '
                'for another model'
            )
        state[key] = unpack(state[key], bits, like.numel()).view(like.shape)
    return state


def adopt_workloads(model: nn.Module, checkpoint: QuantCheckpoint) -> None:
    """Gives layers the workloads that were stored with them."""
    stored = checkpoint.info.get('workloads', {})
    for name, layer in quantized_layers(model).items():
        if name in stored:
            layer.workload = Workload(**stored[name])


def _every_name(model: nn.Module) -> Iterator[tuple[str, QuantModule]]:
    """Quantized layers under every name that a state dict gives them."""
    for name, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, QuantModule):
            yield name, module


def _packed_state(model: nn.Module) -> dict[str, Tensor]:
    tensors = {}
    layers = dict(_every_name(model))
    for key, value in model.state_dict().items():
        value = value.detach().cpu().contiguous()
        if key.endswith(CODES) or key == CODES[1:]:
            layer = layers[key[: -len(CODES)]]
            value = pack(value, layer.config.w_bits)
        tensors[key] = value.clone()  # safetensors refuses shared memory
    return tensors
