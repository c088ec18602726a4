"""``igq::softmax_codes``: from scores to the codes of their softmax.

The exponential of a math library differs from machine to machine in its
last bits, and a probability next to a rounding edge then takes another
code. Compiled kernels and :func:`same_steps` therefore do the same float
operations in the same order.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels.call import Library, address
from ..kernels.guard import plain, readable
from ..kernels.structs import RowsStruct
from .definition import Operator, operator
from .values import TILE

LANES = 16  # of a vector of csrc/softmax.h: partial sums of a row
MAGIC = 12582912.0  # adding it rounds a float32 to an integer
# of e^r for |r| <= log(2) / 2
POLYNOMIAL = (
    1.9875691500e-4,
    1.3981999507e-3,
    8.3334519073e-3,
    4.1665795894e-2,
    1.6666665459e-1,
    5.0000001201e-1,
)


def _add(scores: Tensor, factor: Tensor, terms: list[Tensor | None]) -> Tensor:
    scores.mul_(factor)
    for term in terms:
        if term is not None:
            scores.add_(term)
    return scores


def library_steps(
    scores: Tensor,
    factor: Tensor,
    terms: list[Tensor | None],
    edges: Tensor,
    step: Tensor,
    top: int,
) -> Tensor:
    """With the softmax of torch: other devices, dtypes and programs.

    Args:
        scores (Tensor): (..., N), replaced by codes.
        factor (Tensor): Of the scores, (1,).
        terms (list[Tensor | None]): Added to the scores.
        edges (Tensor): Between groups of rows, (G - 1,).
        step (Tensor): Of the groups, (G,).
        top (int): The largest code.

    Returns:
        Tensor: The step of each row, (...).
    """
    probability = _add(scores, factor, terms).softmax(-1)
    peaks = probability.amax(-1)
    if len(edges):
        steps = step[torch.bucketize(peaks, edges)]
    else:  # OpenVINO takes an empty list for a number
        steps = step.expand_as(peaks).clone()
    scores.copy_((probability / steps[..., None]).clamp(max=top).round())
    return steps


def same_steps(
    scores: Tensor,
    factor: Tensor,
    terms: list[Tensor | None],
    edges: Tensor,
    step: Tensor,
    top: int,
) -> Tensor:
    """What csrc/softmax.h does, bit for bit, see :func:`library_steps`."""
    scores = _add(scores, factor, terms)
    power = exponential(scores - scores.amax(-1, keepdim=True))
    width = power.shape[-1]
    lanes = F.pad(power, (0, -width % LANES)).unflatten(-1, (-1, LANES))
    total = lanes[..., 0, :].clone()
    for i in range(1, lanes.shape[-2]):
        total += lanes[..., i, :]
    half = LANES
    while half > 1:
        half //= 2
        total = total[..., :half] + total[..., half:]
    steps = step[torch.bucketize(1 / total[..., 0], edges)]
    torch.div(power, total, out=scores)
    scores.div_(steps[..., None]).clamp_(max=top).round_()
    return steps


def exponential(x: Tensor) -> Tensor:
    """e^x for x <= 0, to 2 units in the last place; 0 below -87.

    Args:
        x (Tensor): float32.
    """
    whole = (x * 1.44269504 + MAGIC) - MAGIC
    rest = (x - whole * 0.693359375) + whole * 2.12194440e-4
    p = torch.full_like(x, POLYNOMIAL[0])
    for factor in POLYNOMIAL[1:]:
        p = p.mul_(rest).add_(factor)
    p.mul_(rest * rest).add_(rest).add_(1.0)
    power = (whole.to(torch.int32) + 127) << 23
    return p.mul_(power.view(torch.float32)).masked_fill_(x < -87.0, 0.0)


@dataclass
class SoftmaxCodes(Operator):
    """Codes of ``softmax(scores * factor + first + second)``, in place.

    What comes out is what a code of each row stands for, (...).

    Args:
        scores (Tensor): (..., N).
        factor (Tensor): (1,).
        first (Tensor, optional): Broadcasts to ``scores``.
        second (Tensor, optional): Likewise.
        edges (Tensor): Between groups of rows, (G - 1,).
        step (Tensor): Of the groups, (G,).
        top (int): The largest code.
    """

    scores: Tensor
    factor: Tensor
    first: Tensor | None
    second: Tensor | None
    edges: Tensor
    step: Tensor
    top: int

    def _terms(self) -> list[Tensor | None]:
        """What is added, as large as the scores."""
        return [
            None if term is None else term.expand_as(self.scores)
            for term in (self.first, self.second)
        ]

    def in_torch(self) -> Tensor:
        scores, factor, terms = self.scores, self.factor, self._terms()
        how = self.edges, self.step, self.top
        present = [term for term in terms if term is not None]
        if not all(
            readable(x) and x.dtype is torch.float32
            for x in (scores, self.edges, self.step, *present)
        ):
            return library_steps(scores, factor, terms, *how)
        steps = self.shapes()
        rows = max(1, TILE // max(scores[:1].numel(), 1))
        for start in range(0, len(scores), rows):
            block = slice(start, start + rows)
            parts = [t if t is None else t[block] for t in terms]
            steps[block] = same_steps(scores[block], factor, parts, *how)
        return steps

    def fits(self) -> bool:
        terms = [x for x in (self.first, self.second) if x is not None]
        return (
            self.scores.dim() in range(1, 6)
            and self.scores.numel() > 0
            and self.factor.numel() == 1
            and self.step.dim() == 1
            and self.edges.shape == (len(self.step) - 1,)
            and plain(torch.float32, self.scores, self.edges, self.step)
            and all(x.dtype is torch.float32 for x in (self.factor, *terms))
        )

    def in_c(self, kernels: Library) -> Tensor:
        scores = self.scores
        steps = self.shapes()
        terms = [
            term if term is None or term.stride(-1) == 1 else term.contiguous()
            for term in self._terms()
        ]
        ahead = 5 - scores.dim()
        strides = [
            (0,) * 4 if term is None else (0,) * ahead + term.stride()[:-1]
            for term in terms
        ]
        kernels.call(
            'softmax_codes',
            scores,
            RowsStruct(
                (1,) * ahead + tuple(scores.shape[:-1]),
                scores.shape[-1],
                sum(strides, ()),
                tuple(
                    None if t is None else address(t, strided=True)
                    for t in terms
                ),
                address(self.edges),
                address(self.step),
                len(self.step),
                self.factor.item(),
                self.top,
            ),
            steps,
            torch.get_num_threads(),
        )
        return steps

    def shapes(self) -> Tensor:
        return self.scores.new_empty(self.scores.shape[:-1])


softmax_codes = operator(
    'softmax_codes(Tensor(a!) scores, Tensor factor, Tensor? first, '
    'Tensor? second, Tensor edges, Tensor step, int top) -> Tensor steps',
    SoftmaxCodes,
)
