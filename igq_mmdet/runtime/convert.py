"""From a simulated model to one that computes on integers."""

import copy
from typing import Any

from torch import nn

from ..errors import SpecError
from ..kernels.library import library
from ..modes import in_ordinary_modes
from ..modules.attention.fused_attention import QuantFusedAttention
from ..modules.attention.shift_window_attention import QuantShiftWindowMSA
from ..modules.base import QuantModule
from ..modules.layers.conv import QuantConv2d
from ..modules.layers.conv_transpose import QuantConvTranspose2d
from ..modules.layers.linear import QuantLinear
from ..modules.swap import quantized_layers, relink
from ..modules.weight_module import QuantWeightModule
from .conv import IntegerConv2d
from .conv_transpose import IntegerConvTranspose2d
from .fused_attention import IntegerFusedAttention
from .linear import IntegerLinear
from .window_attention import IntegerShiftWindowMSA

# simulated class -> class that computes the same on integers
INTEGER: dict[type, Any] = {
    QuantConv2d: IntegerConv2d,
    QuantConvTranspose2d: IntegerConvTranspose2d,
    QuantLinear: IntegerLinear,
}
# the same for variants of others' classes, by what they are varied with
VARIANTS: dict[type, Any] = {QuantFusedAttention: IntegerFusedAttention}


@in_ordinary_modes
def to_integer(model: nn.Module) -> nn.Module:
    """A copy of a model whose layers multiply integer codes, on a CPU.

    Codes and outputs are those of the simulation on a CPU, bit for bit
    while a layer's sums stay below 2^24. Weights are fixed from here on:
    load a checkpoint before. A layer that cannot run so stays simulated;
    why is in ``igq_runtime`` of the copy, by layer name, None where it runs
    on integers.

    Args:
        model (nn.Module): Quantized, calibrated and frozen.

    Returns:
        nn.Module: The copy; it can be saved and summarised like the model.

    Raises:
        SpecError: The model is not quantized or not frozen.
    """
    if getattr(model, 'igq_spec', None) is None:
        raise SpecError('not a quantized model; call igq.quantize first')
    library()  # says once if there are no kernels
    own = copy.deepcopy(model)
    replaced: dict[int, nn.Module] = {}
    reasons: dict[str, str | None] = {}
    for name, layer in quantized_layers(own).items():
        reasons[name] = _unsupported(name, layer)
        if reasons[name] is None:
            integer = _form(layer).from_quantized(layer)
            integer.train(layer.training)
            replaced[id(layer)] = integer
    for name, block in own.named_modules():
        if type(block) is QuantShiftWindowMSA:
            inner = f'{name}.w_msa'.lstrip('.')
            reason = IntegerShiftWindowMSA.supports(block)
            if inner in reasons:
                reasons[inner] = reason
            if reason is None:
                attention = IntegerShiftWindowMSA.from_quantized(block)
                replaced[id(block)] = attention.train(block.training)
    root = replaced.get(id(own), own)
    relink(root, replaced)
    root.igq_spec = own.igq_spec
    root.igq_runtime = reasons  # type: ignore[assignment]
    return root


def _unsupported(name: str, layer: QuantModule) -> str | None:
    ready = all(q.ready for q in layer.quantizers().values())
    if isinstance(layer, QuantWeightModule):
        ready = ready and layer.frozen
    if not ready:
        raise SpecError(
            f'{name} is not calibrated; call igq.calibrate before '
            'igq.to_integer'
        )
    form = _form(layer)
    if form is None:
        return f'{type(layer).__name__} has no integer form'
    return form.supports(layer)


def _form(layer: QuantModule) -> Any:
    kind = type(layer)
    return INTEGER.get(kind) or VARIANTS.get(kind.__bases__[0])
