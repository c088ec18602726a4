"""What convolutions share: one static quantizer of the input."""

from typing import Any, ClassVar

from torch import Tensor

from ...methods import StaticQuantizer
from ..base import LayerConfig, take_over
from ..weight_module import QuantWeightModule
from .patches import chosen, outputs_at


class StaticInputModule(QuantWeightModule):
    """A layer with a statically quantized input (method, section 4).

    Attributes:
        SHAPE (tuple[str, ...]): The attributes that say how it computes,
            named as those of the float layer.
    """

    SHAPE: ClassVar[tuple[str, ...]] = ()
    # outputs of one call that weights are rounded by: as many as a map of
    # 64 x 64 has; neighbours in a larger one say the same again
    LIMIT: ClassVar[int] = 4096
    kernel_size: tuple[int, ...]
    input_quantizer: StaticQuantizer

    @classmethod
    def from_float(
        cls, module: Any, config: LayerConfig
    ) -> 'StaticInputModule':
        """Takes over the parameters of a float layer.

        Args:
            module (nn.Module): The float layer.
            config (LayerConfig): Its settings.
        """
        layer = cls(config, module.weight, module.bias)
        take_over(layer, module, *cls.SHAPE)
        layer.input_quantizer = StaticQuantizer(
            config.a_bits, config.strict_zero_point
        )
        return layer

    def made(self, y: Tensor) -> Tensor:
        return outputs_at(y, chosen(y.shape, self.LIMIT))
