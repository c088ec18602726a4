"""From scores to the codes of their softmax (method, section 3)."""

import torch
from torch import Tensor

from ..kernels.guard import standard_only
from ..operators import softmax_codes as operators
from .base import ActivationQuantizer
from .uniform import max_code


def has_row_steps(quantizer: ActivationQuantizer) -> bool:
    """Whether each row is quantized from 0 on by one uniform step.

    Args:
        quantizer (ActivationQuantizer): Of softmax outputs.
    """
    return (
        quantizer.form in ('row_steps', 'common_step')
        and quantizer.ready
        and quantizer.from_zero
    )


@torch.no_grad()
def softmax_codes(
    scores: Tensor,
    factor: float | Tensor,
    quantizer: ActivationQuantizer,
    first: Tensor | None = None,
    second: Tensor | None = None,
) -> Tensor:
    """Codes of ``softmax(scores * factor + first + second)``, in place.

    Args:
        scores (Tensor): (..., N), at most four dimensions before N;
            contiguous, replaced by codes as floating point integers.
        factor (float | Tensor): Of the scores, (1,).
        quantizer (ActivationQuantizer): Of the rows, with
            :func:`has_row_steps`.
        first (Tensor, optional): Broadcasts to ``scores``.
        second (Tensor, optional): Likewise.

    Returns:
        Tensor: What a code of each row stands for, (...).
    """
    edges, step = quantizer.row_steps()
    top = max_code(quantizer.bits)
    if not isinstance(factor, Tensor):
        factor = scores.new_full((1,), factor)
    if standard_only(scores):
        terms = [first, second]
        return operators.library_steps(scores, factor, terms, edges, step, top)
    steps: Tensor = operators.softmax_codes(
        scores, factor, first, second, edges, step, top
    )
    return steps
