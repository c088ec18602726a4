"""Products whose channels have one of several steps: a sum a group."""

import torch
from torch import Tensor

from ...kernels import library, runs_here
from ...kernels.library import CodesStruct, address
from ...quantizers import (
    ActivationQuantizer,
    dequantize_weight,
    fake_quantize,
    max_code,
)
from ..workspace import workspace
from .rescale import rescale

# Tokens multiplied at a time where there are no kernels.
ROWS = 1024


@torch.compiler.disable
@torch.no_grad()
def grouped_product(
    values: Tensor,
    counted: Tensor,
    quantizer: ActivationQuantizer,
    weight: tuple[Tensor, Tensor, Tensor],
    bias: Tensor | None,
    out: Tensor,
) -> None:
    """``s_w sum_i s_i (sum_{c in i} (q - z_i) (w - z_w)) + bias``.

    Sums within a group are over integers, which float32 adds up exactly
    below 2^24, and groups follow one another: integer execution of the
    layer gives the same bits.

    Args:
        values (Tensor): Tokens of one instance, float32 on a CPU,
            contiguous, (N, K).
        counted (Tensor): Those statistics are taken from, (M, K).
        quantizer (ActivationQuantizer): Of the input, in form ``grouped``.
        weight (tuple[Tensor, Tensor, Tensor]): Codes, uint8, (D, K), their
            scale and zero point, (D, 1).
        bias (Tensor, optional): (D,).
        out (Tensor): Where to write, contiguous, (N, D).
    """
    codes, scale, zero_point = weight
    groups = quantizer.assign(counted)
    step, zero = quantizer.scale[groups], quantizer.zero_point[groups]
    if bias is None:
        bias = scale.new_zeros(len(scale))
    floats = (values, out, step, zero, scale, zero_point, bias)
    kernels = library() if runs_here(*floats) else None
    outputs, inputs = codes.shape
    fits = (
        (values, (len(values), inputs)),
        (groups, (inputs,)),
        (scale, (outputs, 1)),
        (zero_point, (outputs, 1)),
        (bias, (outputs,)),
        (out, (len(values), outputs)),
    )
    if kernels is None or any(x.shape != shape for x, shape in fits):
        _in_torch(values, groups, quantizer, weight, out)
        rescale(out, scale.view(-1), bias, -1)
        return
    low = -zero
    how = (step, low, low + max_code(quantizer.bits), torch.ones_like(step))
    kernels.call(
        'grouped_values',
        values,
        len(values),
        CodesStruct(*map(address, how)),
        groups.to(torch.int32),
        quantizer.groups,
        codes.contiguous(),
        zero_point.contiguous(),
        scale.contiguous(),
        bias.detach().contiguous(),
        *reversed(codes.shape),
        out,
        torch.get_num_threads(),
    )


def _in_torch(
    values: Tensor,
    groups: Tensor,
    quantizer: ActivationQuantizer,
    weight: tuple[Tensor, Tensor, Tensor],
    out: Tensor,
) -> None:
    """The sums, without scale of the weight and bias."""
    codes, _, zero_point = weight
    columns = dequantize_weight(codes, None, zero_point).T
    parts = [
        (quantizer.scale[group], own, columns[own])
        for group in groups.unique()
        for own in [(groups == group).nonzero()[:, 0]]
    ]
    step, zero = quantizer.scale[groups], quantizer.zero_point[groups]
    one = torch.ones_like(step)
    for block, total in zip(values.split(ROWS), out.split(ROWS), strict=True):
        integers = fake_quantize(
            block, step, zero, quantizer.bits, workspace(block), one
        )
        total.zero_()
        for scale, own, rows in parts:
            total += (integers[:, own] @ rows).mul_(scale)
