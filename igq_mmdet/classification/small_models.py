"""Small timm models for 28 x 28 pixels."""

import os
from typing import Any

import timm
from safetensors.torch import load_file
from torch import nn

from ..errors import DataError

OPTIONS: dict[str, tuple[str, dict[str, Any]]] = {
    'vit': (
        'vit_tiny_patch16_224',
        dict(patch_size=4, embed_dim=64, depth=4, num_heads=2),
    ),
    'swin': (
        'swin_tiny_patch4_window7_224',
        dict(patch_size=2, embed_dim=32, depths=(2, 2), num_heads=(2, 4)),
    ),
}


def small_model(kind: str) -> nn.Module:
    """A model of timm for (B, 1, 28, 28) and ten classes.

    Args:
        kind (str): ``vit`` (49 tokens and a class token, 4 blocks) or
            ``swin`` (14 x 14 tokens in windows of 7, 2 + 2 blocks).
    """
    name, options = OPTIONS[kind]
    return timm.create_model(
        name, img_size=28, in_chans=1, num_classes=10, **options
    )


def load_small(kind: str, filename: str) -> nn.Module:
    """A trained small model.

    Args:
        kind (str): See :func:`small_model`.
        filename (str): From ``tools/train_fashion_mnist.py``.

    Raises:
        DataError: The file is missing or of another model.
    """
    if not os.path.isfile(filename):
        raise DataError(f'{filename}: no such weights; train them first')
    model = small_model(kind)
    try:
        model.load_state_dict(load_file(filename))
    except (RuntimeError, OSError) as error:
        raise DataError(f'{filename}: not the weights of {kind}') from error
    return model.eval()
