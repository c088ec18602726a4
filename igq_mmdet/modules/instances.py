"""Which rows and tokens of an activation belong to which image.

An *instance* is one image (method, section 2). A module that reshapes
images into something else (windows, RoIs) or appends tokens says so with
:func:`instances`; without it every row of dimension 0 is an image.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Instances:
    """How images are laid out in an activation.

    Args:
        rows (tuple[int, ...], optional): Rows of dimension 0 that each
            image has, in order, such as RoIs or windows. Defaults to None:
            one row an image.
        tokens (int, optional): How many leading entries of dimension 1
            count for statistics; the rest is padding. Defaults to None:
            all of them.
        images (int, optional): Instead of ``rows``: how many images share
            the rows evenly. Defaults to None.
        keep (Tensor, optional): Instead of ``tokens``: which entries of
            dimensions 0 and 1 count, bool, (R, N), or (R / images, N)
            where it is the same for every image. Defaults to None: all.
        layers_first (bool): Whether 4-D activations are (layers, images,
            ...), as heads of DETR get them. Defaults to False.
    """

    rows: tuple[int, ...] | None = None
    tokens: int | None = None
    images: int | None = None
    keep: Tensor | None = None
    layers_first: bool = False

    def split(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Cuts an activation into its images.

        Args:
            x (Tensor): Contiguous activation, (R, ..., C).

        Yields:
            tuple[Tensor, Tensor]: Views of all values of one image,
            (N, C), and of those that count for statistics, (M, C).

        Raises:
            ValueError: The rows do not add up to R.
        """
        channels = x.shape[-1]
        keep = self.kept(x.shape[0])
        start = 0
        for image in x.split(self._rows(x.shape[0])):
            values = counted = image.reshape(-1, channels)
            if keep is not None:
                own = keep[start : start + image.shape[0]]
                counted = image[own]
            elif self.tokens is not None:
                counted = image[:, : self.tokens].reshape(-1, channels)
            start += image.shape[0]
            yield values, counted

    def batches(self, x: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """As :meth:`split`, images of one size together.

        No value decides a size: what does not count repeats a token that
        does.

        Args:
            x (Tensor): Contiguous activation, (R, ..., C), not empty.

        Yields:
            tuple[Tensor, Tensor]: All values of some images, (I, N, C), and
            of those that count for statistics, (I, M, C).
        """
        channels = x.shape[-1]
        keep = self.kept(x.shape[0])
        start = 0
        for rows, images in self._runs(x.shape[0]):
            part = x[start : start + rows * images]
            values = counted = part.reshape(images, -1, channels)
            if keep is not None:
                own = keep[start : start + rows * images]
                counted = _evened(values, own.reshape(images, -1))
            elif self.tokens:
                counted = part[:, : self.tokens]
                counted = counted.reshape(images, -1, channels)
            start += rows * images
            yield values, counted

    def _runs(self, total: int) -> list[tuple[int, int]]:
        """Rows an image, and images that have as many and lie together."""
        if self.rows is None:
            images = total if self.images is None else self.images
            if total % images == 0:
                return [(total // images, images)]
        rows = self._rows(total)
        if len(set(rows)) == 1:
            return [(rows[0], len(rows))]
        return [(own, 1) for own in rows if own]

    def kept(self, rows: int) -> Tensor | None:
        """Which tokens count, spread over all images.

        Args:
            rows (int): R, length of dimension 0.

        Returns:
            Tensor: Bool, (R, N), or None if all of them do.
        """
        if self.keep is None or self.keep.shape[0] == rows:
            return self.keep
        return self.keep.repeat(rows // self.keep.shape[0], 1)

    def padded_with(self, x: Tensor, value: Tensor) -> Tensor:
        """Puts other values where padding is.

        Args:
            x (Tensor): Activation, (R, N, ..., C).
            value (Tensor): What a padded token holds, (C,).

        Returns:
            Tensor: Shape of ``x``; ``x`` itself where nothing is padded.
        """
        keep = self.kept(x.shape[0])
        if keep is not None:
            return torch.where(keep[..., None], x, value)
        if self.tokens is not None and self.tokens < x.shape[1]:
            rest = value.expand_as(x[:, self.tokens :])
            return torch.cat([x[:, : self.tokens], rest], dim=1)
        return x

    def _rows(self, total: int) -> tuple[int, ...]:
        rows = self.rows
        if rows is None:
            images = total if self.images is None else self.images
            rows = (total // max(images, 1),) * images
        if sum(rows) != total:
            raise ValueError(
                f'{total} rows do not belong to images of {rows} rows; '
                'name them with igq_mmdet.modules.instances'
            )
        return rows


def _evened(images: Tensor, keep: Tensor) -> Tensor:
    """As many tokens as there are, with the range of those that count.

    Args:
        images (Tensor): (I, N, C).
        keep (Tensor): Which tokens count, bool, (I, N); all of them in an
            image where none does.

    Returns:
        Tensor: (I, N, C).
    """
    keep = keep | ~keep.any(1, keepdim=True)
    first = keep.to(torch.int64).argmax(1)[:, None, None]
    token = images.gather(1, first.expand(-1, 1, images.shape[-1]))
    return torch.where(keep[..., None], images, token)


class _Current(threading.local):
    """The layout of this thread; torch.compile reads no ContextVar."""

    layout = Instances()


_current = _Current()


def current_instances() -> Instances:
    """The layout that holds for the layer being called."""
    return _current.layout


class _Scope:
    """Within it another layout holds; torch.compile enters no generator."""

    def __init__(self, layout: Instances) -> None:
        self.layout = layout

    def __enter__(self) -> None:
        self.before = _current.layout
        _current.layout = self.layout

    def __exit__(self, *error: object) -> None:
        _current.layout = self.before


def instances(
    rows: tuple[int, ...] | None = None,
    tokens: int | None = None,
    images: int | None = None,
    keep: Tensor | None = None,
    layers_first: bool = False,
) -> _Scope:
    """Declares the layout for the layers called inside.

    Args:
        rows (tuple[int, ...], optional): See :class:`Instances`.
        tokens (int, optional): See :class:`Instances`.
        images (int, optional): See :class:`Instances`.
        keep (Tensor, optional): See :class:`Instances`.
        layers_first (bool): See :class:`Instances`.

    Returns:
        ContextManager: To be entered once.
    """
    return _Scope(Instances(rows, tokens, images, keep, layers_first))


@contextmanager
def instances_inside(layer: nn.Module, **layout: Any) -> Iterator[None]:
    """Declares the layout for one layer, not for those around it.

    Args:
        layer (nn.Module): Called while this holds.
        **layout: See :func:`instances`.
    """
    scopes: list[Any] = []

    def enter(module: nn.Module, args: Any) -> None:
        scopes.append(instances(**layout))
        scopes[-1].__enter__()

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        scopes.pop().__exit__(None, None, None)

    hooks = [
        layer.register_forward_pre_hook(enter),
        layer.register_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
