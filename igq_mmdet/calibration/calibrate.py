"""The two verbs that lead from a float model to a calibrated one."""

import copy
from collections.abc import Iterable
from typing import Any

from torch import nn

from ..modules.plan import make_plan
from ..modules.swap import swap_
from ..spec import QuantSpec
from ..torch_modes import usual_modes
from .collect import Forward, Statistics, call, collect
from .fit import fit, freeze


@usual_modes()
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


def calibrate(
    model: nn.Module, batches: Iterable[Any], forward: Forward = call
) -> Statistics:
    """Fits every quantizer and freezes the weights.

    Inference mode and defaults of dtype and device that are on around the
    call hold for the model's own forward and the batches; autocast does
    not, for statistics are to be exact. A ``forward`` may enter it.

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
