"""From statistics to bounds, from float weights to codes."""

from torch import nn

from ..methods import METHODS
from ..modes import in_ordinary_modes
from ..modules.norm_pairs import norm_pairs
from ..modules.swap import named_quantizers, quantized_layers
from ..modules.weight_module import QuantWeightModule
from ..spec import QuantSpec
from .collect import Statistics


@in_ordinary_modes
def fit(model: nn.Module, statistics: Statistics) -> None:
    """Sets the bounds of every quantizer; all of them or none.

    Where a method folds scales into a LayerNorm, that is done here too.

    Args:
        model (nn.Module): From :func:`igq_mmdet.quantize`.
        statistics (Statistics): From :func:`collect`.

    Raises:
        CalibrationError: A quantizer saw no data; names it.
    """
    spec: QuantSpec = model.igq_spec  # type: ignore[assignment]
    layers = quantized_layers(model)
    found = []
    for name, layer in layers.items():
        for full, quantizer in named_quantizers(name, layer).items():
            observer = statistics.observers[full][quantizer.observes]
            bounds = quantizer.fit(observer, spec)
            found.append((name, layer, quantizer, bounds))
    norms = norm_pairs(model)
    for name, layer, quantizer, bounds in found:
        method = METHODS.build(layer.config.method)
        if method.folds and name in norms:
            norm = model.get_submodule(norms[name])
            assert isinstance(norm, nn.LayerNorm)
            method.fold(norm, layer, *bounds)
        else:
            quantizer.set_bounds(*bounds)
    for name, layer in layers.items():
        layer.workload = statistics.workload_per_image(name)


@in_ordinary_modes
def freeze(model: nn.Module) -> None:
    """Turns every quantized weight into codes and drops the float one."""
    for layer in quantized_layers(model).values():
        if isinstance(layer, QuantWeightModule):
            layer.freeze()
