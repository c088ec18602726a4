"""Any network that maps an image to one map, as a model of mmengine."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel
from torch import Tensor, nn

from ..errors import DataError, SpecError
from ..registry import MODELS
from .maps import map_codes

EPS = 1e-6  # a probability of 0 has no logit


@MODELS.register_module()
class MapModel(BaseModel):
    """A network of camouflaged or salient objects, unchanged.

    Args:
        network (dict | nn.Module): Config of the network; ``type`` is any
            class or function that can be imported, such as
            ``mypackage.nets.MyNet``, and the rest its arguments. It takes
            images (B, 3, h, w).
        output (int | str | Sequence, optional): Which of what the network
            returns is the map: a position in a list, a key of a dict, or
            several, one in the other. By default the last of a list, and the
            one of a dict.
        logits (bool): Whether the map has logits; False for
            probabilities. Defaults to True.
        brings_weights (bool): Whether the network has its weights when it
            is built, so that no checkpoint is needed. Defaults to False.
        data_preprocessor (dict, optional): See ``BaseModel``.

    Attributes:
        network (nn.Module): What float checkpoints are of.
    """

    def __init__(
        self,
        network: Any,
        output: Any = None,
        logits: bool = True,
        brings_weights: bool = False,
        data_preprocessor: Any = None,
    ) -> None:
        super().__init__(data_preprocessor)
        if not isinstance(network, nn.Module):
            network = MODELS.build(network)
        self.network = network
        self.output = output
        self.logits = logits
        self.brings_weights = brings_weights

    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[Any] | None = None,
        mode: str = 'tensor',
    ) -> Any:
        """Predicts maps.

        Args:
            inputs (Tensor): (B, 3, h, w), normalized.
            data_samples (Sequence, optional): Of the images, for
                ``predict``.
            mode (str): ``tensor`` gives :meth:`map_of`; ``predict`` data
                samples with ``pred_map`` from :func:`map_codes`.

        Raises:
            DataError: A map has NaN or infinity, or is no probability;
                names the image.
            SpecError: What the network returns is no map.
        """
        values = self.map_of(inputs)
        if mode == 'tensor':
            return values
        if mode != 'predict' or data_samples is None:
            raise SpecError(f'MapModel has no mode {mode!r}; it only predicts')
        for sample, one in zip(data_samples, values[:, 0], strict=True):
            sample.pred_map = map_codes(self._probabilities(one, sample))
        return data_samples

    def map_of(self, inputs: Tensor) -> Tensor:
        """What the network gives, at its own size.

        Args:
            inputs (Tensor): (B, 3, h, w).

        Returns:
            Tensor: (B, 1, h', w'), logits or probabilities.

        Raises:
            SpecError: It is no map of these images; says what came.
        """
        given = _chosen(self.network(inputs), self.output)
        found = given[:, None] if given.dim() == 3 else given
        fits = found.dim() == 4 and found.shape[:2] == (len(inputs), 1)
        if not fits or not _alike(found.shape[-2:], inputs.shape[-2:]):
            raise SpecError(
                f'{type(self.network).__name__} gives {tuple(given.shape)} '
                f'for images {tuple(inputs.shape)}, which is no map of '
                'each; name the one with model.output'
            )
        return found

    def class_rows(self, batch: Any, copies: int = 1) -> list[Tensor]:
        """Class logits of every pixel, for allocation.

        Args:
            batch (dict): One image, as ``test_step`` takes it.
            copies (int): How often to repeat it. Defaults to 1.

        Returns:
            list[Tensor]: One tensor, (copies * h * w, 2): the softmax is
            what the map says of object and of the rest.
        """
        inputs = self.data_preprocessor(batch, False)['inputs']
        values = self.map_of(inputs.repeat(copies, 1, 1, 1))
        if not self.logits:
            values = values.clamp(EPS, 1 - EPS).logit()
        return [F.pad(values.reshape(-1, 1), (0, 1))]

    def _probabilities(self, values: Tensor, sample: Any) -> Tensor:
        name = sample.get('img_path', 'an image')
        if not torch.isfinite(values).all():
            raise DataError(
                f'{name}: its map has NaN or infinity; see that the weights '
                'are those of the network'
            )
        if self.logits:
            return values.double().sigmoid()
        if values.min() < -EPS or values.max() > 1 + EPS:
            raise DataError(
                f'{name}: its map goes from {values.min():.3g} to '
                f'{values.max():.3g}, which are no probabilities; set '
                'model.logits to True'
            )
        return values


def _chosen(found: Any, output: Any) -> Tensor:
    """The tensor among what a network returns."""
    if isinstance(output, list | tuple):
        for place in output:
            found = _part(found, place)
    elif output is not None:
        found = _part(found, output)
    while not isinstance(found, Tensor):
        found = _part(found, None)
    return found


def _part(found: Any, place: Any) -> Any:
    if isinstance(found, Mapping):
        if place is None and len(found) == 1:
            return next(iter(found.values()))
        if place in found:
            return found[place]
        names = ', '.join(map(str, found))
        raise SpecError(
            f'model.output: {place!r} is none of what the network returns; '
            f'choose one of {names}'
        )
    if isinstance(found, list | tuple) and found:
        at = -1 if place is None else place
        if isinstance(at, int) and -len(found) <= at < len(found):
            return found[at]
        raise SpecError(
            f'model.output: {place!r} is no position in the {len(found)} '
            'that the network returns'
        )
    raise SpecError(
        f'model.output: the network returns {type(found).__name__}, in which '
        f'{place!r} cannot be looked up; a tensor is needed'
    )


def _alike(one: Sequence[int], other: Sequence[int]) -> bool:
    """Whether two sizes have the same shape, but for a pixel."""
    (h, w), (height, width) = one, other
    return abs(h * width - w * height) <= max(height, width, h, w)
