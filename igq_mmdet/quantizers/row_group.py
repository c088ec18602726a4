"""Groups of softmax rows, chosen row by row (method, section 3)."""

from typing import Any

import torch
from torch import Tensor

from .base import ActivationQuantizer
from .uniform import fake_quantize, qparams


def group_edges(group_upper: Tensor) -> tuple[Tensor, Tensor]:
    """What decides the nearest group of a row maximum.

    Args:
        group_upper (Tensor): Upper bounds of the groups, (G,), any order.

    Returns:
        tuple[Tensor, Tensor]: ``order`` (G,), which sorts the groups, and
        ``edges`` (G - 1,): a maximum above ``edges[i]`` lies nearer to
        sorted group ``i + 1`` than to ``i``. Edges are the midpoints,
        rounded down to the dtype of the bounds, which no maximum of that
        dtype can tell from the exact midpoint.
    """
    ascending, order = torch.sort(group_upper, stable=True)
    exact = (ascending[1:].double() + ascending[:-1].double()) / 2
    edges = exact.to(group_upper.dtype)
    below = torch.nextafter(edges, torch.zeros_like(edges))
    return order, torch.where(edges.double() > exact, below, edges)


class RowGroupQuantizer(ActivationQuantizer):
    """G fixed quantizers with l = 0; each row takes the nearest maximum."""

    observes = 'row_maxima'

    def refresh(self) -> None:
        super().refresh()
        self.order, self.edges = group_edges(self.upper)

    def assign(self, x: Tensor) -> Tensor:
        """Groups of the rows of ``x``.

        Args:
            x (Tensor): Rows of an attention map, (R, K).

        Returns:
            Tensor: Group indices, (R,).
        """
        return self.order[torch.bucketize(x.amax(1), self.edges)]

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        groups = self.assign(x)[:, None]
        return fake_quantize(
            x, self.scale[groups], self.zero_point[groups], self.bits, out
        )

    def _apply(self, fn: Any, recurse: bool = True) -> 'RowGroupQuantizer':
        super()._apply(fn, recurse)
        if self.ready:
            self.refresh()
        return self


class RowBoundQuantizer(ActivationQuantizer):
    """The upper bound: every row is quantized by its own maximum."""

    observes = 'presence'

    def __init__(self, bits: int, strict_zero_point: bool = False) -> None:
        super().__init__(bits, 0, strict_zero_point)

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        upper = x.amax(1, keepdim=True)
        scale, zero_point = qparams(torch.zeros_like(upper), upper, self.bits)
        return fake_quantize(x, scale, zero_point, self.bits, out)
