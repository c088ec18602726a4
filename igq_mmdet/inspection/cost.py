"""MACs, BOPs and bytes of quantized layers, per part (method, section 5)."""

from dataclasses import dataclass

from ..methods import METHODS
from ..modules.base import QuantModule, QuantWeightModule, Workload
from ..modules.layers.linear import QuantLinear
from ..modules.table import ATTENTION
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


def linear_bops(
    tokens: float,
    inputs: int,
    outputs: int,
    w_bits: int,
    a_bits: int,
    groups: int,
    fixed: bool = False,
) -> float:
    """BOPs of a fully connected layer: the group terms only when G > 1.

    ``MACs * b_w * b_a + 32 * (N * D * g + 2 * N * C + 4 * C * g)``

    The last two are the ranges of channels and their distances to groups:
    none where groups are fixed.

    Args:
        tokens (float): N.
        inputs (int): C.
        outputs (int): D.
        w_bits (int): b_w.
        a_bits (int): b_a.
        groups (int): g.
        fixed (bool): Whether groups are those of calibration. Defaults to
            False.
    """
    bops = tokens * inputs * outputs * w_bits * a_bits
    if groups > 1:
        bops += FLOAT_BITS * tokens * outputs * groups
    if groups > 1 and not fixed:
        bops += FLOAT_BITS * (2 * tokens * inputs + 4 * inputs * groups)
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
    if not METHODS[config.method].grouped:
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
            g if tokens else 1,
            METHODS[config.method].fixed,
        )
    else:
        macs = sizes.get('macs', 0.0)
        bops = macs * config.w_bits * config.a_bits
    return Cost(macs, bops, stored, full)


def _weight_bytes(layer: QuantWeightModule) -> tuple[int, int]:
    weight = layer.weight_codes if layer.frozen else layer.weight
    channels = weight.shape[layer.channel_axis]
    bias = 0 if layer.bias is None else 4 * layer.bias.numel()
    packed = packed_size(weight.numel(), layer.config.w_bits)
    # a scale and a zero point a channel, 4 bytes each
    return packed + 8 * channels + bias, 4 * weight.numel() + bias
