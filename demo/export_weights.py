"""Writes a float model's weights as half-precision safetensors."""

import os
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor


def export_weights(
    state: Mapping[str, Tensor], path: str | Path, config: str
) -> None:
    """Write float tensors in fp16, the others as they are.

    Args:
        state (Mapping[str, Tensor]): A model's ``state_dict``.
        path (str or Path): The file to write; it appears only when whole.
        config (str): Config of the model, kept in the file's metadata.

    Raises:
        ValueError: If a tensor does not fit fp16; names it.
    """
    halves = {}
    for name, tensor in state.items():
        tensor = tensor.detach().cpu()
        half = tensor.half() if tensor.is_floating_point() else tensor
        if not torch.isfinite(half).all():
            raise ValueError(f'{name}: a value is not finite in fp16')
        halves[name] = half.contiguous()
    part = Path(f'{path}.part')
    save_file(halves, part, metadata={'format': 'pt', 'config': config})
    os.replace(part, path)
