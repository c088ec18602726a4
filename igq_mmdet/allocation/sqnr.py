"""What each layer of one setting loses on the calibration images."""

from collections.abc import Iterable
from typing import Any

from torch import nn

from ..calibration.collect import Forward, call
from ..modules.swap import quantized_layers
from .perturbation import disable
from .sensitivity import noise_of


def layer_sqnr(
    model: nn.Module, batches: Iterable[Any], forward: Forward = call
) -> dict[str, dict[str, float]]:
    """Signal to quantization noise of every layer, from one float pass.

    Memory beyond a float pass: the quantized copy of one tensor at a time.

    Args:
        model (nn.Module): Fitted, not frozen; left as it was.
        batches (Iterable): Whatever ``forward`` takes.
        forward (Callable): How to run the model. Defaults to calling it.

    Returns:
        dict[str, dict[str, float]]: In dB, by layer and kind
        (``sensitivity.KINDS``); without what has no signal or no noise.
    """
    quantizers = [
        quantizer
        for layer in quantized_layers(model).values()
        for quantizer in layer.quantizers().values()
        if quantizer.ready
    ]
    training = model.training
    disable(model.eval())
    try:
        found = noise_of(model, batches, forward)
    finally:
        for quantizer in quantizers:
            quantizer.ready = True
        model.train(training)
    by_layer: dict[str, dict[str, float]] = {}
    for item, noise in found.items():
        if noise.decibels is not None:
            kinds = by_layer.setdefault(item.layer, {})
            kinds[item.kind] = round(noise.decibels, 3)
    return by_layer
