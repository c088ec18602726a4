"""Which layer belongs to which part and gets which settings."""

from collections.abc import Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

from torch import nn

from ..errors import SpecError
from ..field_checks import did_you_mean
from ..methods import METHODS
from ..spec import QuantSpec
from .base import LayerConfig
from .layers.conv import QuantConv2d
from .norm_pairs import norm_pairs
from .table import ATTENTION, float_children, inner_layers, quantized_class

# part -> where it lives in an mmdet detector; the longest prefix wins
PARTS: dict[str, tuple[str, ...]] = {
    'backbone': ('backbone',),
    'neck': ('neck',),
    'rpn': ('rpn_head',),
    'bbox_head': ('bbox_head', 'roi_head.bbox_head'),
    'mask_head': ('mask_head', 'roi_head.mask_head'),
}
PLAIN = 'model'  # the one part of a model that is not a detector

# a convolution with at most this many inputs, met first, reads the picture
PICTURE_CHANNELS = 4


def part_of(name: str, detector: bool) -> str:
    """The part a layer belongs to.

    Args:
        name (str): Dotted name of the layer.
        detector (bool): Whether the model is a detector.

    Returns:
        str: A key of ``PARTS``, or the first component of the name.
    """
    if not detector:
        return PLAIN
    best, length = name.split('.')[0], 0
    for part, prefixes in PARTS.items():
        for prefix in prefixes:
            inside = name == prefix or name.startswith(prefix + '.')
            if inside and len(prefix) > length:
                best, length = part, len(prefix)
    return best


def candidates(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Every layer that could be quantized, each once.

    Args:
        model (nn.Module): A float model.

    Yields:
        tuple[str, nn.Module, str]: Name, layer and part.
    """
    detector = hasattr(model, 'backbone')
    kept = tuple(
        f'{name}.{child}.'.lstrip('.')
        for name, module in model.named_modules()
        for child in float_children(module)
    )
    for name, module in model.named_modules():
        if quantized_class(module) is not None:
            if not f'{name}.'.startswith(kept):
                yield name, module, part_of(name, detector)
        for child, layer in inner_layers(module).items():
            inner = f'{name}.{child}'.lstrip('.')
            yield inner, layer, part_of(inner, detector)


def make_plan(model: nn.Module, spec: QuantSpec) -> dict[str, LayerConfig]:
    """Resolves a spec against a model.

    Args:
        model (nn.Module): A float model.
        spec (QuantSpec): What is asked for.

    Returns:
        dict[str, LayerConfig]: Settings by layer name, in model order.

    Raises:
        SpecError: A part, pattern or layer name that fits nothing.
    """
    layers = list(candidates(model))
    if not layers:
        raise SpecError(
            f'{type(model).__name__} has no layer that can be quantized'
        )
    parts = list(dict.fromkeys(part for _, _, part in layers))
    wanted = spec.part_names()
    for part in wanted or ():
        if part not in parts:
            raise SpecError(
                f'unknown part {part!r}{did_you_mean(part, parts)}'
            )
    names = [name for name, _, part in layers if not wanted or part in wanted]
    _check_patterns(spec, names)
    plan: dict[str, LayerConfig] = {}
    picture = _picture_layer(layers)
    norms = norm_pairs(model)
    for name, module, part in layers:
        if name not in names or not selected(name, spec):
            continue
        attention = quantized_class(module) in ATTENTION
        plan[name] = _configure(name, part, attention, name == picture, spec)
        if not _applies(plan[name].method, attention, name in norms):
            plan[name] = replace(plan[name], method='layerwise')
    if not plan:
        raise SpecError('include and exclude leave no layer to quantize')
    for name in spec.layer_groups:
        if name not in plan:
            raise SpecError(
                f'layer_groups names {name!r}, which is not a '
                f'quantized layer{did_you_mean(name, plan)}'
            )
    return plan


def _applies(method: str, attention: bool, after_norm: bool) -> bool:
    own = METHODS[method]
    if attention:
        return own.rows is not None
    return own.inputs is not None and (after_norm or not own.folds)


def _configure(
    name: str, part: str, attention: bool, picture: bool, spec: QuantSpec
) -> LayerConfig:
    w_bits, a_bits, groups = spec.part_settings(part)
    own_kind = 'softmax' if attention else 'linear'
    method = spec.method
    if spec.targets not in ('both', own_kind):
        method = 'layerwise'
    return LayerConfig(
        name=name,
        part=part,
        method=method,
        w_bits=w_bits,
        a_bits=spec.input_bits if picture else a_bits,
        groups=spec.layer_groups.get(name, groups),
        strict_zero_point=spec.strict_zero_point,
        weight_percentiles=spec.weight_percentiles,
        weight_scope=spec.weight_scope,
        weights=spec.weights,
        ranges=spec.ranges,
    )


def selected(name: str, spec: QuantSpec) -> bool:
    """Whether include and exclude let a layer be quantized."""
    if spec.include and not _matches(name, spec.include):
        return False
    return not _matches(name, spec.exclude)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_patterns(spec: QuantSpec, names: list[str]) -> None:
    for field in ('include', 'exclude'):
        for pattern in getattr(spec, field):
            if not any(fnmatchcase(name, pattern) for name in names):
                raise SpecError(
                    f'{field} pattern {pattern!r} matches no layer of the '
                    f'chosen parts; a layer is named like {names[0]!r}'
                )


def _picture_layer(layers: list[tuple[str, nn.Module, str]]) -> str | None:
    for name, module, _ in layers:
        if quantized_class(module) is QuantConv2d:
            assert isinstance(module, nn.Conv2d)
            return name if module.in_channels <= PICTURE_CHANNELS else None
    return None
