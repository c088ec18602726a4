"""The steps that lead from a float model to a calibrated one."""

import copy
from collections.abc import Iterable
from typing import Any

from torch import nn

from ..methods import METHODS
from ..modes import in_ordinary_modes
from ..modules.base import QuantWeightModule
from ..modules.norm_pairs import norm_pairs
from ..modules.plan import make_plan
from ..modules.swap import named_quantizers, quantized_layers, swap_
from ..spec import QuantSpec
from .collect import Forward, Statistics, call, collect


@in_ordinary_modes
def quantize(model: nn.Module, spec: QuantSpec) -> nn.Module:
    """Copies a float model and swaps in quantized layers.

    The copy computes as float until it is calibrated; ``model`` is left as
    it was.

    Args:
        model (nn.Module): A float model.
        spec (QuantSpec): What to quantize and how.

    Returns:
        nn.Module: The copy, with the spec in ``igq_spec``.

    Raises:
        SpecError: The spec does not fit the model.
    """
    plan = make_plan(model, spec)
    qmodel = swap_(copy.deepcopy(model), plan)
    qmodel.igq_spec = spec  # type: ignore[assignment]
    return qmodel


@in_ordinary_modes
def calibrate(
    model: nn.Module, batches: Iterable[Any], forward: Forward = call
) -> Statistics:
    """Fits every quantizer and freezes the weights.

    Args:
        model (nn.Module): From :func:`quantize`.
        batches (Iterable): Whatever ``model(...)`` takes: tensors,
            sequences of arguments or dicts of them.
        forward (Callable): How to run the model on one batch. Defaults to
            calling it.

    Returns:
        Statistics: What was collected.

    Raises:
        CalibrationError: No images, a layer without data, NaN or infinity.
    """
    statistics = collect(model, batches, forward)
    fit(model, statistics)
    freeze(model)
    return statistics


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
