"""What all quantized layers share: settings and a record of their work."""

from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from ..quantizers import ActivationQuantizer


@dataclass(frozen=True)
class LayerConfig:
    """The settings of one layer, as the plan resolved them.

    Args:
        name (str): Dotted name in the model.
        part (str): Part of the model it belongs to.
        method (str): Key of ``methods.METHODS``.
        w_bits (int): Width of weight codes.
        a_bits (int): Width of activation codes.
        groups (int): Number of groups of its FC input or softmax rows.
        strict_zero_point (bool): See ``quantizers.qparams``.
        weight_percentiles (tuple[float, ...]): Candidates in percent.
        weight_scope (str): See ``quantizers.quantize_weight``.
        weights (str): Key of ``methods.ROUNDINGS``.
        ranges (str): See ``QuantSpec``.
    """

    name: str
    part: str
    method: str
    w_bits: int
    a_bits: int
    groups: int
    strict_zero_point: bool
    weight_percentiles: tuple[float, ...]
    weight_scope: str = 'channel'
    weights: str = 'nearest'
    ranges: str = 'mean'


@dataclass
class Workload:
    """What a layer did while it was observed, summed over images.

    Args:
        calls (int): Forward calls.
        sizes (dict[str, float]): Counts by name, see ``cost.py``.
    """

    calls: int = 0
    sizes: dict[str, float] = field(default_factory=dict)

    def add(self, **sizes: float) -> None:
        """Counts one call."""
        self.calls += 1
        for name, size in sizes.items():
            self.sizes[name] = self.sizes.get(name, 0) + size

    def merge(self, other: 'Workload') -> None:
        """Adds what was counted elsewhere."""
        calls = self.calls + other.calls
        self.add(**other.sizes)
        self.calls = calls


class QuantModule(nn.Module):
    """Base of every quantized layer.

    Attributes:
        config (LayerConfig): Its settings.
        workload (Workload): Filled while ``observing``.
        observing (bool): Whether calibration is collecting.
        grouped_key (str, optional): The name of the quantizer that the
            method chose, whose number of groups counts.
    """

    grouped_key: ClassVar[str | None] = None

    def __init__(self, config: LayerConfig) -> None:
        super().__init__()
        self.configure(config)

    def configure(self, config: LayerConfig) -> None:
        """Gives a layer, however it was made, its settings."""
        self.config = config
        self.workload = Workload()
        self.observing = False

    @classmethod
    def from_float(cls, module: Any, config: LayerConfig) -> 'QuantModule':
        """Takes over the parameters of a float layer.

        Args:
            module (nn.Module): The float layer.
            config (LayerConfig): Its settings.
        """
        raise NotImplementedError

    def grouped_quantizer(self, groups: int) -> ActivationQuantizer:
        """A new quantizer for the place ``grouped_key``.

        Args:
            groups (int): Number of groups.
        """
        raise NotImplementedError

    def quantizers(self) -> dict[str, ActivationQuantizer]:
        """The activation quantizers of this layer itself, by name."""
        return {
            name: child
            for name, child in self.named_children()
            if isinstance(child, ActivationQuantizer)
        }


def holds_integers(x: Tensor) -> bool:
    """Whether products with a tensor keep the integers that sums need.

    Args:
        x (Tensor): An operand; autocast would make it half precision.
    """
    device = x.device.type
    if x.dtype not in (torch.float32, torch.float64):
        return False
    # meta has no autocast, and asking for it is an error
    return device == 'meta' or not torch.is_autocast_enabled(device)


def take_over(target: nn.Module, source: nn.Module, *names: str) -> None:
    """Hands attributes and submodules of a float module on.

    Args:
        target (nn.Module): The quantized module.
        source (nn.Module): The float module it stands for.
        *names (str): Attribute names.
    """
    for name in names:
        value: Any = getattr(source, name)
        setattr(target, name, value)
