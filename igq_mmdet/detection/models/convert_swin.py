"""Detectors of Swin-Transformer-Object-Detection as mmdet 3.x checkpoints.

That project forked mmdet 2.11 with a backbone of its own. Necks and heads
have kept their names and layouts since; the backbone's names differ, and so
does the order in which patch merging concatenates its four neighbours.
"""

import os
from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ...errors import CheckpointError
from ...files.atomic import replacing
from ...version import __version__
from .float_checkpoint import read_float_checkpoint

# mmdet's name -> the original's
RENAMED = (
    ('backbone.patch_embed.projection.', 'backbone.patch_embed.proj.'),
    ('backbone.stages.', 'backbone.layers.'),
    ('.attn.w_msa.', '.attn.'),
    ('.ffn.layers.0.0.', '.mlp.fc1.'),
    ('.ffn.layers.1.', '.mlp.fc2.'),
)
MERGING = ('downsample.reduction.weight', 'downsample.norm.')


def original_key(key: str) -> str:
    """The name the original gives to a tensor.

    Args:
        key (str): Its name in an mmdet 3.x detector.

    Returns:
        str: Its name in Swin-Transformer-Object-Detection.
    """
    if not key.startswith('backbone.'):
        return key
    for mmdet, original in RENAMED:
        key = key.replace(mmdet, original)
    return key


def merging_order(value: Tensor) -> Tensor:
    """Reorders the input channels of patch merging for ``nn.Unfold``.

    The original concatenates whole neighbours, left column first, each with
    its C channels: (column, row, channel). ``nn.Unfold`` gives every channel
    with its four neighbours row by row: (channel, row, column).

    Args:
        value (Tensor): (..., 4 * C) in the original's order.

    Returns:
        Tensor: (..., 4 * C) in mmdet's order.
    """
    blocks = value.unflatten(-1, (2, 2, -1))
    return blocks.transpose(-3, -1).flatten(-3).contiguous()


def convert_state(
    state: Mapping[str, Tensor], detector: nn.Module
) -> 'OrderedDict[str, Tensor]':
    """Converts weights for a detector.

    Args:
        state (Mapping[str, Tensor]): The original's state dict.
        detector (nn.Module): mmdet's detector of the same architecture;
            it is not changed.

    Returns:
        OrderedDict[str, Tensor]: A state dict ``detector`` loads strictly.

    Raises:
        CheckpointError: Keys are unknown or missing (lists all of them, as
            the original names them), a shape or an index table differs, or
            the weights are in mmdet's layout already.
    """
    if any(key.startswith('backbone.stages.') for key in state):
        raise CheckpointError(
            "already has mmdet's key names; use the file as it is"
        )
    own = detector.state_dict()
    names = {key: original_key(key) for key in own}
    unknown = sorted(set(state) - set(names.values()))
    # integers (index tables, counters) follow from the architecture
    missing = sorted(
        name
        for key, name in names.items()
        if name not in state and own[key].is_floating_point()
    )
    if unknown or missing:
        raise CheckpointError(
            'does not fit the config; '
            + '; '.join(
                f'{kind} keys: {", ".join(keys)}'
                for kind, keys in (('unknown', unknown), ('missing', missing))
                if keys
            )
        )
    converted = OrderedDict()
    for key, name in names.items():
        value = state.get(name, own[key])
        if value.shape != own[key].shape:
            raise CheckpointError(
                f'does not fit the config; {name} is {tuple(value.shape)} '
                f'instead of {tuple(own[key].shape)}'
            )
        if key.endswith('relative_position_index') and not torch.equal(
            value.to(own[key]), own[key]
        ):
            raise CheckpointError(
                f'{name}: positions are numbered in another order'
            )
        if any(part in key for part in MERGING):
            value = merging_order(value)
        converted[key] = value
    return converted


def convert_file(
    source: str, target: str, detector: nn.Module, config: str
) -> int:
    """Converts a checkpoint file.

    Args:
        source (str): The original's file, or an address mmengine can fetch.
        target (str): The file to write, ``.pth``; it appears only when
            whole.
        detector (nn.Module): See :func:`convert_state`.
        config (str): Name of the detector's config, kept in the file.

    Returns:
        int: Number of tensors written.

    Raises:
        CheckpointError: The file cannot be read or does not fit; nothing is
            written.
    """
    if not target.endswith('.pth'):
        raise CheckpointError(f'{target}: name the converted file *.pth')
    original = read_float_checkpoint(source)
    try:
        state = convert_state(original, detector)
    except CheckpointError as error:
        raise CheckpointError(f'{source}: {error}') from error
    meta = {
        'converted_from': os.path.basename(source),
        'config': os.path.basename(config),
        'igq_mmdet': __version__,
    }
    with replacing(target) as temporary:
        torch.save({'meta': meta, 'state_dict': state}, temporary)
    return len(state)
