"""Layers in the order of the forward, and runs that end where they do."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..modules.swap import quantized_layers
from ..modules.weight_module import QuantWeightModule
from .collect import Forward

After = Callable[[str, Any, Tensor, Tensor], None]


@dataclass(frozen=True)
class Wave:
    """Layers whose inputs are collected together.

    Args:
        layers (tuple[str, ...]): Their names.
        stop (tuple[str, int], optional): The call of a layer, by name and
            number, before which all of them are done; None where the model
            runs to its end.
        calls (int): How many calls of layers that takes.
    """

    layers: tuple[str, ...]
    stop: tuple[str, int] | None
    calls: int


class _Done(Exception):
    """All layers of a wave have been called."""


def weighted_layers(model: nn.Module) -> dict[str, QuantWeightModule]:
    """The layers of a model that have a weight to round, by name."""
    return {
        name: layer
        for name, layer in quantized_layers(model).items()
        if isinstance(layer, QuantWeightModule)
    }


def plan_waves(
    model: nn.Module,
    layers: Mapping[str, QuantWeightModule],
    batches: Sequence[Any],
    forward: Forward,
) -> list[Wave]:
    """Puts layers in the order in which a model calls them.

    Args:
        model (nn.Module): Runs on the first batch.
        layers (Mapping[str, QuantWeightModule]): What is to be rounded.
        batches (Sequence): At least one.
        forward (Callable): How to run the model.
    """
    calls: list[str] = []
    with _hooked(layers, before=lambda name, _: calls.append(name)):
        with torch.no_grad():
            forward(model, batches[0])
    waves = []
    for name in dict.fromkeys(calls):
        last = len(calls) - calls[::-1].index(name)
        stop = None
        if last < len(calls):
            stop = calls[last], calls[: last + 1].count(calls[last])
        waves.append(Wave((name,), stop, last))
    rest = tuple(name for name in layers if name not in calls)
    if rest:
        waves.append(Wave(rest, None, len(calls)))
    return waves


@torch.no_grad()
def run_wave(
    wave: Wave,
    model: nn.Module,
    layers: Mapping[str, QuantWeightModule],
    batch: Any,
    forward: Forward,
    after: After,
) -> None:
    """Runs a model until the layers of a wave are done.

    Args:
        wave (Wave): From :func:`plan_waves`.
        model (nn.Module): The one it was planned for, or its twin.
        layers (Mapping[str, QuantWeightModule]): Of that model.
        batch (Any): What ``forward`` takes.
        forward (Callable): How to run the model.
        after (Callable): Gets name, layer, input and output of every call
            of a layer of the wave.
    """
    stop, left = wave.stop or ('', 0)

    def before(name: str, layer: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise _Done

    watched = {stop: layers[stop]} if stop else {}
    own = {name: layers[name] for name in wave.layers}
    with _hooked(watched, before=before), _hooked(own, after=after):
        try:
            forward(model, batch)
        except _Done:
            pass


@contextmanager
def _hooked(
    layers: Mapping[str, QuantWeightModule],
    before: Callable[[str, Any], None] | None = None,
    after: After | None = None,
) -> Iterator[None]:
    """Calls functions before and after layers, with their names."""

    def ahead(name: str, layer: Any, args: Any) -> None:
        assert before is not None
        before(name, layer)

    def behind(name: str, layer: Any, args: Any, output: Any) -> None:
        assert after is not None
        after(name, layer, args[0], output)

    handles: list[Any] = []
    for name, layer in layers.items():
        if before is not None:
            handles.append(
                layer.register_forward_pre_hook(partial(ahead, name))
            )
        if after is not None:
            handles.append(layer.register_forward_hook(partial(behind, name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
