"""Which rows and tokens of an activation belong to which image.

An *instance* is one image (method, section 2). A module that reshapes
images into something else (windows, RoIs) or appends tokens says so with
:func:`instances`; without it every row of dimension 0 is an image.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from torch import Tensor


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
    """

    rows: tuple[int, ...] | None = None
    tokens: int | None = None

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
        rows = self.rows if self.rows is not None else (1,) * x.shape[0]
        if sum(rows) != x.shape[0]:
            raise ValueError(
                f'{x.shape[0]} rows do not belong to images of {rows} rows; '
                'name them with igq_mmdet.modules.instances'
            )
        for image in x.split(rows):
            values = image.reshape(-1, channels)
            if self.tokens is None:
                yield values, values
            else:
                counted = image[:, : self.tokens]
                yield values, counted.reshape(-1, channels)


_current: ContextVar[Instances] = ContextVar('igq_instances')
_DEFAULT = Instances()


def current_instances() -> Instances:
    """The layout that holds for the layer being called."""
    return _current.get(_DEFAULT)


@contextmanager
def instances(
    rows: tuple[int, ...] | None = None, tokens: int | None = None
) -> Iterator[None]:
    """Declares the layout for the layers called inside.

    Args:
        rows (tuple[int, ...], optional): See :class:`Instances`.
        tokens (int, optional): See :class:`Instances`.
    """
    token = _current.set(Instances(rows, tokens))
    try:
        yield
    finally:
        _current.reset(token)
