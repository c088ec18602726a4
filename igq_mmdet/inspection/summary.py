"""Layers, bits, MACs, BOPs and bytes of each part, as a table."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..methods import METHODS
from ..modes import in_ordinary_modes
from ..modules.base import QuantModule
from ..modules.swap import quantized_layers
from ..modules.weight_module import QuantWeightModule
from .columns import format_rows
from .cost import Cost, layer_cost


@dataclass(frozen=True)
class PartSummary:
    """One part of a quantized model.

    Args:
        layers (int): Quantized layers.
        w_bits (tuple[int, ...]): Widths of weights that occur.
        a_bits (tuple[int, ...]): Widths of activations that occur.
        groups (tuple[int, ...]): Numbers of groups that occur.
        cost (Cost): Their sum.
    """

    layers: int
    w_bits: tuple[int, ...]
    a_bits: tuple[int, ...]
    groups: tuple[int, ...]
    cost: Cost


class Summary(Mapping[str, PartSummary]):
    """Parts by name; prints as a table.

    Args:
        parts (dict[str, PartSummary]): By part name, in model order.
    """

    def __init__(self, parts: dict[str, PartSummary]) -> None:
        self._parts = parts

    def __getitem__(self, key: str) -> PartSummary:
        return self._parts[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def total(self) -> Cost:
        """The sum over parts."""
        return sum((part.cost for part in self.values()), Cost())

    def __str__(self) -> str:
        rows: list[tuple[str, ...]] = [
            (
                'part',
                'layers',
                'W',
                'A',
                'groups',
                'MACs (G)',
                'BOPs (T)',
                'MB',
                'float MB',
            )
        ]
        for name, part in self.items():
            rows.append(
                (
                    name,
                    str(part.layers),
                    *map(_list, (part.w_bits, part.a_bits, part.groups)),
                    *_figures(part.cost),
                )
            )
        layers = sum(part.layers for part in self.values())
        rows.append(('total', str(layers), '', '', '', *_figures(self.total)))
        return format_rows(rows)


def _list(values: tuple[int, ...]) -> str:
    return '/'.join(map(str, values)) or '-'


def _figures(cost: Cost) -> tuple[str, ...]:
    return (
        f'{cost.macs / 1e9:.3f}',
        f'{cost.bops / 1e12:.4f}',
        f'{cost.weight_bytes / 1e6:.2f}',
        f'{cost.float_bytes / 1e6:.2f}',
    )


@in_ordinary_modes
def summary(model: nn.Module) -> Summary:
    """Layers, bits, MACs, BOPs and bytes of each part.

    Args:
        model (nn.Module): A quantized model; MACs and BOPs need it
            calibrated and are those of the mean calibration image.

    Returns:
        Summary: A mapping from part name that prints as a table.
    """
    by_part: dict[str, list[QuantModule]] = {}
    for layer in quantized_layers(model).values():
        by_part.setdefault(layer.config.part, []).append(layer)
    return Summary({part: _sum(layers) for part, layers in by_part.items()})


def layer_settings(model: nn.Module) -> dict[str, dict[str, Any]]:
    """Part, bits and groups of every quantized layer, JSON-ready.

    Args:
        model (nn.Module): A quantized model.

    Returns:
        dict: By layer name, in model order; ``w_bits`` is null where there
        is no weight, ``groups`` where nothing is grouped. ``order`` counts
        from 0, as JSON with sorted keys forgets it.
    """
    return {
        name: {
            'order': order,
            'part': layer.config.part,
            'w_bits': (
                layer.config.w_bits
                if isinstance(layer, QuantWeightModule)
                else None
            ),
            'a_bits': layer.config.a_bits,
            'groups': layer.config.groups if _grouped(layer) else None,
        }
        for order, (name, layer) in enumerate(quantized_layers(model).items())
    }


def _grouped(layer: QuantModule) -> bool:
    own = layer.grouped_key is not None
    return own and METHODS[layer.config.method].grouped


def _sum(layers: list[QuantModule]) -> PartSummary:
    weighted = [x for x in layers if isinstance(x, QuantWeightModule)]
    grouped = [x for x in layers if _grouped(x)]
    return PartSummary(
        len(layers),
        tuple(sorted({x.config.w_bits for x in weighted})),
        tuple(sorted({x.config.a_bits for x in layers})),
        tuple(sorted({x.config.groups for x in grouped})),
        sum((layer_cost(x) for x in layers), Cost()),
    )
