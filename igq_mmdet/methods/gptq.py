"""``gptq``, ``ridge+gptq``: rounding by the error of outputs (section 9)."""

from typing import ClassVar

import torch
from torch import Tensor

from ..quantizers import max_code
from ..quantizers.weight import least, percentile_qparams
from .nearest import Nearest
from .rounding import ROUNDINGS, WeightSettings

DAMPING = 0.01  # of the mean of the Hessian's diagonal
BLOCK = 128  # columns whose errors are pushed on together


@ROUNDINGS.register_module('gptq')
class GPTQ(Nearest):
    """Column by column, each pushing its error into those to come.

    GPTQ (Frantar et al., ICLR 2023). Bounds are the percentile of each
    output channel whose codes leave the least error of the outputs. Without
    a Hessian weights go to the nearest code.
    """

    needs_hessian: ClassVar[bool] = True

    def __call__(
        self,
        weight: Tensor,
        settings: WeightSettings,
        hessian: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        if hessian is None or not float(hessian.diagonal().sum()) > 0:
            return super().__call__(weight, settings)
        damped, factor = factorised(hessian)
        pairs = [
            percentile_qparams(
                weight, percent, settings.w_bits, settings.strict_zero_point
            )
            for percent in settings.weight_percentiles
        ]
        scale, zero_point = map(torch.stack, zip(*pairs, strict=True))
        codes = push_errors(
            weight.double(),
            scale.double(),
            zero_point.double(),
            settings.w_bits,
            factor,
        )
        error = scale * (codes - zero_point) - weight
        loss = ((error @ damped) * error).sum(2)
        best = least(loss, settings.weight_scope)
        return codes[best].to(torch.uint8), scale[best], zero_point[best]


@ROUNDINGS.register_module('ridge+gptq')
class RidgeGPTQ(GPTQ):
    """GPTQ of the weight that best turns quantized inputs into outputs.

    The target is a ridge regression on the float model's outputs, near the
    float weight, as in ERQ (Zhong et al., ICML 2024).
    """

    fits_outputs: ClassVar[bool] = True


def factorised(hessian: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    """Damps a Hessian until its inverse has a Cholesky factor.

    Args:
        hessian (Tensor): (K, K), positive semidefinite but for rounding,
            with a positive trace.

    Returns:
        tuple[Tensor, tuple[Tensor, Tensor]]: The damped Hessian, float64,
        (K, K); the order of columns, of falling diagonal, (K,), and
        ``U`` of its inverse ``U^T U`` in that order, upper triangular.
    """
    hessian = hessian.double()
    diagonal = hessian.diagonal()
    order = diagonal.argsort(descending=True, stable=True)
    damping = DAMPING * diagonal.mean()
    # H = R R^T with R upper: the Cholesky factor from the other corner
    turned = order.flip(0)
    while True:
        damped = hessian.clone()
        damped.diagonal().add_(damping)
        corner = damped[turned[:, None], turned]
        corner, failed = torch.linalg.cholesky_ex(corner)
        if not failed:
            break
        damping = damping * 10
    corner = corner.flip(0, 1)
    identity = torch.eye(len(corner), dtype=torch.float64, device=order.device)
    factor = torch.linalg.solve_triangular(corner, identity, upper=True)
    return damped, (order, factor)


def push_errors(
    weight: Tensor,
    scale: Tensor,
    zero_point: Tensor,
    bits: int,
    factor: tuple[Tensor, Tensor],
) -> Tensor:
    """Codes of a weight, by GPTQ.

    Args:
        weight (Tensor): (D, K), float64.
        scale (Tensor): P candidates, (P, D, 1), float64.
        zero_point (Tensor): Likewise.
        bits (int): Width of a code in bits.
        factor (tuple[Tensor, Tensor]): From :func:`factorised`.

    Returns:
        Tensor: Integers, float64, (P, D, K).
    """
    order, upper = factor
    scale, zero_point = (
        scale.flatten(0, 1)[:, 0],
        zero_point.flatten(0, 1)[:, 0],
    )
    rest = weight[:, order].repeat(len(scale) // len(weight), 1).T.contiguous()
    codes = torch.empty_like(rest)
    for start in range(0, len(rest), BLOCK):
        end = min(start + BLOCK, len(rest))
        errors = torch.empty_like(rest[start:end])
        for column in range(start, end):
            code = torch.div(rest[column], scale).round_().add_(zero_point)
            codes[column] = code.clamp_(0, max_code(bits))
            error = torch.addcmul(rest[column], scale, zero_point - code)
            error /= upper[column, column]
            errors[column - start] = error
            rest[column:end].addr_(upper[column, column:end], error, alpha=-1)
        rest[end:] -= upper[start:end, end:].T @ errors
    codes[order] = codes.clone()
    return codes.T.reshape(-1, *weight.shape)
