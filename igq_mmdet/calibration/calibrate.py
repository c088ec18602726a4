"""The two verbs that lead from a float model to a calibrated one."""

import copy
from collections.abc import Iterable
from typing import Any

from torch import nn

from ..modes import in_ordinary_modes
from ..modules.plan import make_plan
from ..modules.swap import swap_
from ..spec import QuantSpec
from .collect import Forward, Statistics, call, collect
from .fit import fit, freeze
from .rounding import needs_passes, round_weights


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
            sequences of arguments or dicts of them. Kept in memory where
            the way to round weights needs more than one pass.
        forward (Callable): How to run the model on one batch. Defaults to
            calling it.

    Returns:
        Statistics: What was collected.

    Raises:
        CalibrationError: No images, a layer without data, NaN or infinity.
    """
    twin = None
    if needs_passes(model):
        batches, twin = list(batches), copy.deepcopy(model)
    statistics = collect(model, batches, forward)
    fit(model, statistics)
    if twin is not None:
        round_weights(model, twin, batches, forward)  # type: ignore[arg-type]
    freeze(model)
    return statistics
