"""MACs, BOPs and bytes of quantized layers, per part (method, section 5)."""

from dataclasses import dataclass

from ..methods import acting_method
from ..modules.base import QuantModule, Workload
from ..modules.layers.linear import QuantLinear
from ..modules.table import ATTENTION
from ..modules.weight_module import QuantWeightModule
from ..quantizers import packed_size

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


def layer_cost(
    layer: QuantModule,
    groups: int | None = None,
    workload: Workload | None = None,
) -> Cost:
    """The cost of one layer for the mean calibration image.

    BOPs are ``MACs * b_w * b_a`` (``b_a * b_a`` in attention), and 32 for
    each float operation that the method adds.

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
    method = acting_method(config.method, g)
    if isinstance(layer, ATTENTION):
        macs, rows, elements = (
            sizes.get(name, 0.0) for name in ('macs', 'rows', 'row_elements')
        )
        added = method.row_operations(rows, elements, g)
        return Cost(macs, macs * config.a_bits**2 + FLOAT_BITS * added)
    assert isinstance(layer, QuantWeightModule)
    added, macs = 0.0, sizes.get('macs', 0.0)
    if isinstance(layer, QuantLinear) and sizes.get('tokens'):
        tokens, inputs = sizes['tokens'], layer.in_features
        macs = tokens * inputs * layer.out_features
        added = method.input_operations(tokens, inputs, layer.out_features, g)
    bops = macs * config.w_bits * config.a_bits + FLOAT_BITS * added
    return Cost(macs, bops, *_weight_bytes(layer))


def _weight_bytes(layer: QuantWeightModule) -> tuple[int, int]:
    weight = layer.weight_codes if layer.frozen else layer.weight
    channels = weight.shape[layer.channel_axis]
    bias = 0 if layer.bias is None else 4 * layer.bias.numel()
    packed = packed_size(weight.numel(), layer.config.w_bits)
    # a scale and a zero point a channel, 4 bytes each
    return packed + 8 * channels + bias, 4 * weight.numel() + bias
