"""From scores to the codes of their softmax, row by row (method, section 3).

The exponential of a math library differs from machine to machine in its
last bits, and a probability next to a rounding edge then takes another
code. Compiled kernels and :func:`_in_torch` therefore do the same float
operations in the same order.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels import library, runs_here
from ..kernels.library import RowsStruct, address
from .base import ActivationQuantizer
from .uniform import TILE, max_code

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


def has_row_steps(quantizer: ActivationQuantizer) -> bool:
    """Whether each row is quantized from 0 on by one uniform step.

    Args:
        quantizer (ActivationQuantizer): Of softmax outputs.
    """
    return (
        quantizer.form in ('row_steps', 'common_step')
        and quantizer.ready
        and not bool(quantizer.zero_point.any())
    )


@torch.compiler.disable
@torch.no_grad()
def softmax_codes(
    scores: Tensor,
    factor: float,
    quantizer: ActivationQuantizer,
    first: Tensor | None = None,
    second: Tensor | None = None,
) -> Tensor:
    """Codes of ``softmax(scores * factor + first + second)``, in place.

    Args:
        scores (Tensor): (..., N), at most four dimensions before N;
            contiguous, replaced by codes as floating point integers.
        factor (float): Of the scores.
        quantizer (ActivationQuantizer): Of the rows, with
            :func:`has_row_steps`.
        first (Tensor, optional): Broadcasts to ``scores``.
        second (Tensor, optional): Likewise.

    Returns:
        Tensor: What a code of each row stands for, (...).
    """
    edges, step = quantizer.row_steps()
    top = max_code(quantizer.bits)
    terms = [
        None if term is None else term.expand_as(scores)
        for term in (first, second)
    ]
    present = [term for term in terms if term is not None]
    if not runs_here(scores, edges, step, *present):
        return _by_library(scores, factor, terms, edges, step, top)
    steps = scores.new_empty(scores.shape[:-1])
    kernels = library()
    if kernels is None or not scores.is_contiguous() or scores.dim() > 5:
        rows = max(1, TILE // max(scores[0].numel(), 1))
        for start in range(0, len(scores), rows):
            block = slice(start, start + rows)
            parts = [t if t is None else t[block] for t in terms]
            steps[block] = _in_torch(
                scores[block], factor, parts, edges, step, top
            )
        return steps
    if not scores.numel():
        return steps
    kept = [
        term if term is None or term.stride(-1) == 1 else term.contiguous()
        for term in terms
    ]
    ahead = 5 - scores.dim()
    kernels.call(
        'softmax_codes',
        scores,
        RowsStruct(
            (1,) * ahead + tuple(scores.shape[:-1]),
            scores.shape[-1],
            sum(
                (
                    (0,) * ahead
                    + ((0,) * (4 - ahead) if t is None else t.stride()[:-1])
                    for t in kept
                ),
                (),
            ),
            tuple(
                None if t is None else address(t, strided=True) for t in kept
            ),
            address(edges),
            address(step),
            len(step),
            factor,
            top,
        ),
        steps,
        torch.get_num_threads(),
    )
    return steps


def _add(scores: Tensor, factor: float, terms: list[Tensor | None]) -> Tensor:
    scores.mul_(factor)
    for term in terms:
        if term is not None:
            scores.add_(term)
    return scores


def _by_library(
    scores: Tensor,
    factor: float,
    terms: list[Tensor | None],
    edges: Tensor,
    step: Tensor,
    top: int,
) -> Tensor:
    """With the softmax of torch: other devices and dtypes."""
    probability = _add(scores, factor, terms).softmax(-1)
    steps = step[torch.bucketize(probability.amax(-1), edges)]
    torch.div(probability, steps[..., None], out=scores)
    scores.clamp_(max=top).round_()
    return steps


def _in_torch(
    scores: Tensor,
    factor: float,
    terms: list[Tensor | None],
    edges: Tensor,
    step: Tensor,
    top: int,
) -> Tensor:
    """What csrc/softmax.h does, bit for bit."""
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
