"""The file of a quantized model: safetensors, verified, no pickle."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from ..errors import CheckpointError, SpecError
from ..files.atomic import replacing
from ..spec import QuantSpec
from .checks import check_info

FORMAT = 'igq_mmdet'
FORMAT_VERSION = 1


@dataclass(frozen=True)
class QuantCheckpoint:
    """The content of a checkpoint file, read and verified.

    Args:
        path (str): Where it came from.
        spec (QuantSpec): The setting.
        tensors (dict[str, Tensor]): As stored; codes are packed.
        info (dict): ``versions``, ``calibration``, ``model_config``,
            ``workloads`` and whatever was handed to :func:`save`.
        digest (str): SHA-256 over tensors and metadata, hex.
    """

    path: str
    spec: QuantSpec
    tensors: dict[str, Tensor]
    info: dict[str, Any]
    digest: str


def read(path: str | os.PathLike[str]) -> QuantCheckpoint:
    """Reads and verifies a file without a model.

    Args:
        path (str | PathLike): From :func:`save`.

    Raises:
        CheckpointError: The file is missing, damaged or of a newer format.
    """
    name = os.fspath(path)
    if not os.path.isfile(name):
        raise CheckpointError(f'{name}: no such file')
    try:
        with safetensors.safe_open(name, framework='pt') as file:
            metadata = file.metadata() or {}
        version = _version(name, metadata)
        if version > FORMAT_VERSION:
            raise CheckpointError(
                f'{name}: format version {version} is newer than '
                f'{FORMAT_VERSION}; update igq_mmdet'
            )
        tensors = load_file(name)
    except CheckpointError:
        raise
    except Exception as error:  # safetensors raises its own and OSError
        raise CheckpointError(
            f'{name}: damaged or not a safetensors file ({error})'
        ) from error
    digest = metadata.pop('digest', '')
    if digest != digest_of(tensors, metadata):
        raise CheckpointError(
            f'{name}: digest does not match the content; '
            'the file is damaged, make or copy it again'
        )
    try:
        spec = QuantSpec.from_json(metadata['spec'])
        info = check_info(json.loads(metadata['info']))
    except (KeyError, ValueError, SpecError, RecursionError) as error:
        raise CheckpointError(f'{name}: bad metadata ({error})') from error
    return QuantCheckpoint(name, spec, tensors, info, digest)


def _version(name: str, metadata: Mapping[str, str]) -> int:
    if metadata.get('format') != FORMAT:
        raise CheckpointError(f'{name}: not an igq_mmdet checkpoint')
    try:
        version = int(metadata['format_version'])
    except (KeyError, ValueError) as error:
        raise CheckpointError(
            f'{name}: format version is missing or not a number'
        ) from error
    if version < 1:
        raise CheckpointError(f'{name}: there is no format version {version}')
    return version


def digest_of(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> str:
    """SHA-256 over the metadata and every tensor, in order of name."""
    sha = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for key in sorted(tensors):
        value = tensors[key].contiguous()
        sha.update(f'{key} {value.dtype} {tuple(value.shape)}'.encode())
        sha.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def in_memory(
    tensors: dict[str, Tensor], spec: QuantSpec, info: Mapping[str, Any]
) -> QuantCheckpoint:
    """The content of a file that is not there (yet).

    Args:
        tensors (dict[str, Tensor]): Codes packed.
        spec (QuantSpec): The setting.
        info (Mapping): JSON-ready.
    """
    digest = digest_of(tensors, _metadata(spec, info))
    return QuantCheckpoint('in memory', spec, tensors, dict(info), digest)


def write(path: Path, checkpoint: QuantCheckpoint) -> str:
    """Writes a file that :func:`read` takes, whole or not at all.

    Args:
        path (Path): Target; its folder must be there.
        checkpoint (QuantCheckpoint): From :func:`in_memory`.

    Returns:
        str: The digest stored in the file.

    Raises:
        CheckpointError: The file cannot be written.
    """
    if not path.parent.is_dir():
        raise CheckpointError(f'{path.parent}: no such folder; make it first')
    metadata = _metadata(checkpoint.spec, checkpoint.info)
    metadata['digest'] = checkpoint.digest
    try:
        with replacing(path) as temporary:
            save_file(checkpoint.tensors, temporary, metadata)
    except (OSError, safetensors.SafetensorError) as error:
        raise CheckpointError(f'{path}: not written ({error})') from error
    return checkpoint.digest


def _metadata(spec: QuantSpec, info: Mapping[str, Any]) -> dict[str, str]:
    return {
        'format': FORMAT,
        'format_version': str(FORMAT_VERSION),
        'spec': spec.to_json(),
        'info': json.dumps(info, sort_keys=True),
    }
