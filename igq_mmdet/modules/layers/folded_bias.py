"""Projections that are used through their weight, past their forward."""

from typing import Any

import torch
from torch import nn


def fold_bias(module: Any) -> Any:
    """Gives ``qkv`` the biases that a model keeps beside it.

    BEiT, EVA and SwinV2 hold ``q_bias`` and ``v_bias`` of their own and
    call ``F.linear(x, self.qkv.weight, bias)``, past any quantized layer;
    without the two they call ``self.qkv(x)``.

    Args:
        module (nn.Module): A float attention; it is changed.

    Returns:
        nn.Module: ``module``.
    """
    biases = [getattr(module, f'{x}_bias', None) for x in 'qkv']
    qkv = getattr(module, 'qkv', None)
    if qkv is None or biases[0] is None:
        return module
    with torch.no_grad():
        bias = torch.cat([b for b in biases if b is not None])
    qkv.bias = nn.Parameter(bias, requires_grad=False)
    module.q_bias = module.k_bias = module.v_bias = None
    return module
