"""From statistics to bounds, from float weights to codes."""

from typing import Any

import torch
from torch import Tensor, nn

from ..modules.base import QuantWeightModule, Workload
from ..modules.swap import quantized_layers
from ..quantizers import (
    ActivationQuantizer,
    IntegralGroupQuantizer,
    StaticQuantizer,
)
from ..spec import QuantSpec
from .collect import Statistics
from .integral import fit_integral
from .kmeans import fit_groups
from .percentile import fit_static


def bounds(
    quantizer: ActivationQuantizer, observer: Any, spec: QuantSpec
) -> tuple[Tensor, ...]:
    """The bounds of one quantizer.

    Args:
        quantizer (ActivationQuantizer): Whose bits and groups count.
        observer (Observer): The statistic it declares in ``observes``.
        spec (QuantSpec): For ``static_percentiles`` and ``m_step``.

    Returns:
        tuple[Tensor, ...]: What the quantizer's ``set_bounds`` takes: lower
        and upper bounds, (G,) each, and s_0 where groups are integral.

    Raises:
        CalibrationError: The quantizer saw no data; names it.
    """
    if quantizer.observes == 'presence':
        observer.require()
        return quantizer.lower, quantizer.upper
    if quantizer.observes == 'histogram':
        assert isinstance(quantizer, StaticQuantizer)
        values, counts = observer.values()
        return fit_static(
            values,
            counts,
            quantizer.bits,
            spec.static_percentiles,
            quantizer.nonnegative,
            quantizer.strict_zero_point,
        )
    if quantizer.observes == 'row_maxima':
        upper, counts = observer.points()
        lower = torch.zeros_like(upper)
        groups = fit_groups(
            lower, upper, quantizer.groups, counts, spec.m_step
        )
    else:
        lower, upper = observer.points()
        if isinstance(quantizer, IntegralGroupQuantizer):
            return fit_integral(
                lower,
                upper,
                quantizer.groups,
                quantizer.bits,
                quantizer.strict_zero_point,
                spec.m_step,
            )
        groups = fit_groups(lower, upper, quantizer.groups, m_step=spec.m_step)
    return groups.lower.float(), groups.upper.float()


def fit(model: nn.Module, statistics: Statistics) -> None:
    """Sets the bounds of every quantizer; all of them or none.

    Args:
        model (nn.Module): From :func:`igq_mmdet.quantize`.
        statistics (Statistics): From :func:`collect`.

    Raises:
        CalibrationError: A quantizer saw no data; names it.
    """
    spec: QuantSpec = model.igq_spec  # type: ignore[assignment]
    found = []
    for name, layer in quantized_layers(model).items():
        for key, quantizer in layer.quantizers().items():
            full = f'{name}.{key}'.lstrip('.')
            observer = statistics.observers[full][quantizer.observes]
            found.append((quantizer, bounds(quantizer, observer, spec)))
    for quantizer, values in found:
        quantizer.set_bounds(*values)
    for name, layer in quantized_layers(model).items():
        layer.workload = _per_image(
            statistics.workloads[name], statistics.images
        )


def _per_image(workload: Workload, images: int) -> Workload:
    sizes = {key: size / images for key, size in workload.sizes.items()}
    return Workload(workload.calls, sizes)


def freeze(model: nn.Module) -> None:
    """Turns every quantized weight into codes and drops the float one."""
    for layer in quantized_layers(model).values():
        if isinstance(layer, QuantWeightModule):
            layer.freeze()
