"""MACs, BOPs and bytes of quantized layers, per part (method, section 5)."""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from .modules.base import QuantModule, QuantWeightModule, Workload
from .modules.linear import QuantLinear
from .modules.swap import quantized_layers
from .modules.table import ATTENTION
from .quantizers import packed_size

FLOAT_BITS = 32


@dataclass(frozen=True)
class Cost:
    """Cost of one layer or part for one image.

    Args:
        macs (float): Multiply-accumulates.
        bops (float): Bit operations.
        weight_bytes (int): Size of the stored weights and biases.
        float_bytes (int): The same in float32.
    """

    macs: float = 0.0
    bops: float = 0.0
    weight_bytes: int = 0
    float_bytes: int = 0

    def __add__(self, other: 'Cost') -> 'Cost':
        return Cost(
            self.macs + other.macs,
            self.bops + other.bops,
            self.weight_bytes + other.weight_bytes,
            self.float_bytes + other.float_bytes,
        )


def linear_bops(
    tokens: float,
    inputs: int,
    outputs: int,
    w_bits: int,
    a_bits: int,
    groups: int,
) -> float:
    """BOPs of a fully connected layer: the group terms only when G > 1.

    ``MACs * b_w * b_a + 32 * (N * D * g + 2 * N * C + 4 * C * g)``

    Args:
        tokens (float): N.
        inputs (int): C.
        outputs (int): D.
        w_bits (int): b_w.
        a_bits (int): b_a.
        groups (int): g.
    """
    bops = tokens * inputs * outputs * w_bits * a_bits
    if groups > 1:
        bops += FLOAT_BITS * (
            tokens * outputs * groups
            + 2 * tokens * inputs
            + 4 * inputs * groups
        )
    return bops


def attention_bops(
    macs: float, rows: float, elements: float, a_bits: int, groups: int
) -> float:
    """BOPs of both attention products: the group terms only when G > 1.

    ``MACs * b_a * b_a + 32 * (rows * len + 2 * rows * g)``

    Args:
        macs (float): Of both products.
        rows (float): Softmax rows.
        elements (float): Rows times their length.
        a_bits (int): b_a.
        groups (int): g.
    """
    bops = macs * a_bits * a_bits
    if groups > 1:
        bops += FLOAT_BITS * (elements + 2 * rows * groups)
    return bops


def layer_cost(
    layer: QuantModule,
    groups: int | None = None,
    workload: Workload | None = None,
) -> Cost:
    """The cost of one layer for the mean calibration image.

    Args:
        layer (QuantModule): A quantized layer.
        groups (int, optional): Another number of groups than its own.
        workload (Workload, optional): Another workload than its own.

    Returns:
        Cost: Zero MACs and BOPs before calibration.
    """
    config = layer.config
    sizes = (workload or layer.workload).sizes
    g = groups if groups is not None else config.groups
    if config.method != 'igq':
        g = 1
    if isinstance(layer, ATTENTION):
        macs = sizes.get('macs', 0.0)
        bops = attention_bops(
            macs,
            sizes.get('rows', 0.0),
            sizes.get('row_elements', 0.0),
            config.a_bits,
            g,
        )
        return Cost(macs, bops)
    assert isinstance(layer, QuantWeightModule)
    stored, full = _weight_bytes(layer)
    if isinstance(layer, QuantLinear):
        tokens = sizes.get('tokens', 0.0)
        macs = tokens * layer.in_features * layer.out_features
        bops = linear_bops(
            tokens,
            layer.in_features,
            layer.out_features,
            config.w_bits,
            config.a_bits,
            g,
        )
    else:
        macs = sizes.get('macs', 0.0)
        bops = macs * config.w_bits * config.a_bits
    return Cost(macs, bops, stored, full)


def _weight_bytes(layer: QuantWeightModule) -> tuple[int, int]:
    weight = layer.weight if layer.weight is not None else layer.weight_codes
    channels = weight.shape[layer.channel_axis]
    bias = 0 if layer.bias is None else 4 * layer.bias.numel()
    packed = packed_size(weight.numel(), layer.config.w_bits)
    # a scale and a zero point a channel, 4 bytes each
    return packed + 8 * channels + bias, 4 * weight.numel() + bias


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

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter(self._parts)

    def __len__(self) -> int:
        return len(self._parts)

    @property
    def total(self) -> Cost:
        """The sum over parts."""
        return sum((part.cost for part in self.values()), Cost())

    def __str__(self) -> str:
        rows = [
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


def format_rows(rows: list[tuple[str, ...]]) -> str:
    """Aligns columns: the first to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [row[0].ljust(widths[0])]
        cells += [
            cell.rjust(width)
            for cell, width in zip(row[1:], widths[1:], strict=True)
        ]
        lines.append('  '.join(cells).rstrip())
    lines.insert(1, '-' * max(map(len, lines)))
    return '\n'.join(lines)


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


def _sum(layers: list[QuantModule]) -> PartSummary:
    weighted = [x for x in layers if isinstance(x, QuantWeightModule)]
    grouped = [
        x
        for x in layers
        if isinstance(x, (QuantLinear, *ATTENTION))
        and x.config.method == 'igq'
    ]
    return PartSummary(
        len(layers),
        tuple(sorted({x.config.w_bits for x in weighted})),
        tuple(sorted({x.config.a_bits for x in layers})),
        tuple(sorted({x.config.groups for x in grouped})),
        sum((layer_cost(x) for x in layers), Cost()),
    )
