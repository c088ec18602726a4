"""Small timm models for 28 x 28 pixels, and how they are trained."""

import os
import time
from typing import Any

import timm
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from ..atomic import replacing
from ..errors import DataError
from .data import Images

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
        filename (str): From :func:`train_small`.

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


def train_small(
    kind: str,
    images: Images,
    filename: str,
    epochs: int,
    seed: int = 0,
    batch_size: int = 128,
    rate: float = 2e-3,
) -> None:
    """Trains with AdamW, one cycle, shifts and flips.

    Args:
        kind (str): See :func:`small_model`.
        images (Images): Training images.
        filename (str): Where the weights go.
        epochs (int): Passes over the images.
        seed (int): Of weights, order and augmentation. Defaults to 0.
        batch_size (int): Images a step. Defaults to 128.
        rate (float): Highest learning rate. Defaults to 2e-3.
    """
    torch.manual_seed(seed)
    model = small_model(kind).train()
    steps = epochs * (len(images) // batch_size)
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, steps)
    start, done = time.perf_counter(), 0
    for epoch in range(epochs):
        order = torch.randperm(len(images)).split(batch_size)
        for chosen in order[: len(images) // batch_size]:
            x, label = images.items[chosen]
            loss = F.cross_entropy(
                model(_augment(x)), label, label_smoothing=0.1
            )
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
            done += 1
            if done % 100 == 0:
                spent = time.perf_counter() - start
                print(
                    f'{kind}: epoch {epoch + 1}/{epochs}, step {done}/{steps},'
                    f' loss {loss.item():.3f}, {spent:.0f} s, '
                    f'{spent / done * (steps - done):.0f} s left',
                    flush=True,
                )
    os.makedirs(os.path.dirname(filename) or '.', exist_ok=True)
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    with replacing(filename) as temporary:
        save_file(state, temporary)


def _augment(x: torch.Tensor) -> torch.Tensor:
    """Flips half of the images and shifts the batch by up to 2 pixels."""
    flipped = torch.rand(len(x), 1, 1, 1) < 0.5
    x = torch.where(flipped, x.flip(3), x)
    down, right = torch.randint(-2, 3, (2,)).tolist()
    return x.roll((down, right), (2, 3))
