"""Puts quantized layers in the place of float ones."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from .base import LayerConfig, QuantModule
from .roi_instances import attach_roi_images
from .table import CONTAINERS, SPLITS, class_name, quantized_class


def swap_(model: nn.Module, plan: Mapping[str, LayerConfig]) -> nn.Module:
    """Swaps the layers of a plan in place.

    Args:
        model (nn.Module): A float model; it is changed.
        plan (Mapping[str, LayerConfig]): Settings by layer name.

    Returns:
        nn.Module: ``model``, or what stands for it if it is itself a
        layer of the plan.
    """
    model = _split(model, plan)
    swapped: dict[int, nn.Module] = {}
    for name, module in model.named_modules():
        replacement = _replacement(name, module, plan)
        if replacement is not None:
            replacement.train(module.training)
            swapped[id(module)] = replacement
    root = swapped.get(id(model), model)
    relink(root, swapped)
    attach_roi_images(root)
    return root


def _split(model: nn.Module, plan: Mapping[str, LayerConfig]) -> nn.Module:
    """Cuts modules whose layers the plan names but torch does not have."""
    cut = {
        id(module): SPLITS[class_name(module)](module)
        for name, module in model.named_modules()
        if class_name(module) in SPLITS and _touched(name, plan)
    }
    root = cut.get(id(model), model)
    relink(root, cut)
    return root


def _touched(name: str, plan: Mapping[str, LayerConfig]) -> bool:
    inside = f'{name}.' if name else ''
    return any(layer.startswith(inside) or layer == name for layer in plan)


def relink(parent: nn.Module, swapped: Mapping[int, nn.Module]) -> None:
    """Hangs the replacements in; one that is shared stays shared."""
    for key, child in list(parent._modules.items()):
        if child is None:
            continue
        child = swapped.get(id(child), child)
        setattr(parent, key, child)
        relink(child, swapped)


def _replacement(
    name: str, module: nn.Module, plan: Mapping[str, LayerConfig]
) -> nn.Module | None:
    if name in plan:
        kind = quantized_class(module)
        assert kind is not None, name
        return kind.from_float(module, plan[name])
    container = CONTAINERS.get(class_name(module))
    if container and _touched(name, plan):
        return container(module)
    return None


def quantized_layers(model: nn.Module) -> dict[str, QuantModule]:
    """The quantized layers of a model by name, in model order."""
    return {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, QuantModule)
    }


def named_quantizers(name: str, layer: QuantModule) -> dict[str, Any]:
    """The activation quantizers of a layer by their names in the model.

    Args:
        name (str): Of the layer.
        layer (QuantModule): One of :func:`quantized_layers`.
    """
    return {
        f'{name}.{key}'.lstrip('.'): quantizer
        for key, quantizer in layer.quantizers().items()
    }
