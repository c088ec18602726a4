"""How the small timm models are trained, and go on after a kill."""

import os
import pickle
import time
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from ..errors import DataError
from ..files.atomic import replacing
from .data import Images
from .small_models import small_model

EPOCHS = {'vit': 30, 'swin': 12}


def train_small(
    kind: str,
    images: Images,
    filename: str,
    epochs: int | None = None,
    seed: int = 0,
    batch_size: int = 128,
    rate: float = 2e-3,
) -> None:
    """Trains with AdamW, one cycle, shifts and flips.

    After every epoch the state is kept in ``filename + '.progress'``, from
    which the same call goes on; it is removed at the end.

    Args:
        kind (str): See :func:`small_model`.
        images (Images): Training images.
        filename (str): Where the weights go.
        epochs (int, optional): Passes over the images. Defaults to those of
            ``EPOCHS``.
        seed (int): Of weights, order and augmentation. Defaults to 0.
        batch_size (int): Images a step. Defaults to 128.
        rate (float): Highest learning rate. Defaults to 2e-3.

    Raises:
        DataError: The kept state is damaged or of another training.
    """
    epochs = epochs or EPOCHS[kind]
    torch.manual_seed(seed)
    model = small_model(kind).train()
    a_pass = len(images) // batch_size
    optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rate, epochs * a_pass
    )
    os.makedirs(os.path.dirname(filename) or '.', exist_ok=True)
    progress = _Progress(
        f'{filename}.progress',
        dict(
            kind=kind,
            images=len(images),
            epochs=epochs,
            seed=seed,
            batch_size=batch_size,
            rate=rate,
        ),
        dict(model=model, optimizer=optimizer, schedule=schedule),
    )
    first = progress.read()
    start, steps = time.perf_counter(), (epochs - first) * a_pass
    done = 0
    for epoch in range(first, epochs):
        order = torch.randperm(len(images)).split(batch_size)
        for chosen in order[:a_pass]:
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
                    f'{kind}: epoch {epoch + 1}/{epochs}, '
                    f'loss {loss.item():.3f}, {spent:.0f} s, '
                    f'{spent / done * (steps - done):.0f} s left',
                    flush=True,
                )
        progress.write(epoch + 1)
    state = {k: v.contiguous() for k, v in model.state_dict().items()}
    with replacing(filename) as temporary:
        save_file(state, temporary)
    progress.path.unlink()


class _Progress:
    """The state of a training after its last whole epoch.

    Args:
        path (str): Where it is kept.
        settings (dict): What makes it this training and no other.
        parts (dict): What has a ``state_dict``.
    """

    def __init__(
        self, path: str, settings: dict[str, Any], parts: dict[str, Any]
    ) -> None:
        self.path = Path(path)
        self.settings = settings
        self.parts = parts

    def read(self) -> int:
        """Restores what was kept; returns the number of epochs done."""
        if not self.path.is_file():
            return 0
        try:
            kept = torch.load(self.path, weights_only=True)
            settings = kept['settings']
        except (
            OSError,
            EOFError,
            RuntimeError,
            KeyError,
            TypeError,
            pickle.UnpicklingError,
        ) as error:
            raise DataError(
                f'{self.path}: damaged; remove it to train anew'
            ) from error
        if settings != self.settings:
            raise DataError(
                f'{self.path}: of another training ({settings}); remove it '
                'or finish that one'
            )
        for name, part in self.parts.items():
            part.load_state_dict(kept[name])
        torch.set_rng_state(kept['generator'])
        return kept['epochs_done']

    def write(self, epochs_done: int) -> None:
        """Keeps the state."""
        kept = {name: part.state_dict() for name, part in self.parts.items()}
        kept.update(
            settings=self.settings,
            generator=torch.get_rng_state(),
            epochs_done=epochs_done,
        )
        with replacing(self.path) as temporary:
            torch.save(kept, temporary)


def _augment(x: Tensor) -> Tensor:
    """Flips half of the images and shifts the batch by up to 2 pixels."""
    flipped = torch.rand(len(x), 1, 1, 1) < 0.5
    x = torch.where(flipped, x.flip(3), x)
    down, right = torch.randint(-2, 3, (2,)).tolist()
    return x.roll((down, right), (2, 3))
