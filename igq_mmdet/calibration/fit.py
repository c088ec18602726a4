"""From statistics to bounds, from float weights to codes."""

from typing import Any

import torch
from torch import Tensor, nn

from ..fitting.fixed_groups import fit_fixed
from ..fitting.integral import fit_integral
from ..fitting.kmeans import fit_groups
from ..fitting.percentile import fit_static
from ..fitting.repq import fit_channels, fit_log_sqrt2, fold
from ..modules.base import QuantWeightModule, Workload
from ..modules.layers.linear import QuantLinear
from ..modules.norm_pairs import norm_pairs
from ..modules.swap import quantized_layers
from ..quantizers import (
    ActivationQuantizer,
    FixedGroupQuantizer,
    FoldedQuantizer,
    IntegralGroupQuantizer,
    LogSqrt2Quantizer,
    StaticQuantizer,
)
from ..spec import QuantSpec
from ..torch_modes import usual_modes
from .collect import Statistics


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
        and upper bounds, (G,) each, and s_0 where groups are integral, the
        group of each channel where groups are fixed. Bounds of channels,
        (C,), where they are going to be folded.

    Raises:
        CalibrationError: The quantizer saw no data; names it.
    """
    if quantizer.observes == 'presence':
        observer.require()
        return quantizer.lower, quantizer.upper
    if quantizer.observes == 'histogram':
        values, counts = observer.values()
        if isinstance(quantizer, LogSqrt2Quantizer):
            return fit_log_sqrt2(
                values, counts, quantizer.bits, spec.static_percentiles
            )
        assert isinstance(quantizer, StaticQuantizer)
        return fit_static(
            values,
            counts,
            quantizer.bits,
            spec.static_percentiles,
            quantizer.nonnegative,
            quantizer.strict_zero_point,
        )
    if isinstance(quantizer, FoldedQuantizer):
        return fit_channels(
            observer,
            quantizer.bits,
            spec.static_percentiles,
            quantizer.strict_zero_point,
        )
    if isinstance(quantizer, FixedGroupQuantizer):
        return fit_fixed(
            observer.means(),
            observer.extremes(),
            quantizer.groups,
            quantizer.by_range,
            spec.m_step,
        )
    if quantizer.observes == 'row_maxima':
        upper, counts = observer.points()
        lower = torch.zeros_like(upper)
        groups = fit_groups(
            lower, upper, quantizer.groups, counts, spec.m_step
        )
    else:
        lower, upper, counts = observer.points()
        if isinstance(quantizer, IntegralGroupQuantizer):
            return fit_integral(
                lower,
                upper,
                quantizer.groups,
                quantizer.bits,
                quantizer.strict_zero_point,
                spec.m_step,
                counts,
            )
        groups = fit_groups(
            lower, upper, quantizer.groups, counts, spec.m_step
        )
    return groups.lower.float(), groups.upper.float()


@usual_modes()
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
    found = []
    for name, layer in quantized_layers(model).items():
        for key, quantizer in layer.quantizers().items():
            full = f'{name}.{key}'.lstrip('.')
            observer = statistics.observers[full][quantizer.observes]
            values = bounds(quantizer, observer, spec)
            found.append((name, layer, quantizer, values))
    norms = norm_pairs(model)
    for name, layer, quantizer, values in found:
        if isinstance(quantizer, FoldedQuantizer):
            norm = model.get_submodule(norms[name])
            assert isinstance(norm, nn.LayerNorm)
            assert isinstance(layer, QuantLinear)
            fold(norm, layer, values[0], values[1])
        else:
            quantizer.set_bounds(*values)
    for name, layer in quantized_layers(model).items():
        layer.workload = _per_image(
            statistics.workloads[name], statistics.images
        )


def _per_image(workload: Workload, images: int) -> Workload:
    sizes = {key: size / images for key, size in workload.sizes.items()}
    return Workload(workload.calls, sizes)


@usual_modes()
def freeze(model: nn.Module) -> None:
    """Turns every quantized weight into codes and drops the float one."""
    for layer in quantized_layers(model).values():
        if isinstance(layer, QuantWeightModule):
            layer.freeze()
