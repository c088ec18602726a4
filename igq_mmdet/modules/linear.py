"""Fully connected layers with channel-grouped inputs."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..quantizers import METHODS, FoldedQuantizer, input_quantizer
from .base import LayerConfig, QuantWeightModule
from .instances import current_instances
from .workspace import workspace


class QuantLinear(QuantWeightModule):
    """Stands for ``nn.Linear`` (method, section 2).

    The input is quantized image by image; what an image is, is said by
    :func:`igq_mmdet.modules.instances.instances`.
    """

    @classmethod
    def from_float(
        cls, module: nn.Linear, config: LayerConfig
    ) -> 'QuantLinear':
        """Takes over the parameters of a float layer.

        Args:
            module (nn.Linear): The float layer.
            config (LayerConfig): Its settings.
        """
        return cls(config, module.weight, module.bias)

    def __init__(
        self,
        config: LayerConfig,
        weight: Tensor,
        bias: Tensor | None = None,
    ) -> None:
        if bias is None and METHODS[config.method].folds:
            # takes what is folded out of the LayerNorm's shift
            bias = nn.Parameter(weight.new_zeros(weight.shape[0]))
        super().__init__(config, weight, bias)
        self.out_features, self.in_features = weight.shape
        self.input_quantizer = input_quantizer(
            config.method,
            config.a_bits,
            config.groups,
            config.strict_zero_point,
            self.in_features,
        )

    def forward(self, x: Tensor) -> Tensor:
        """(R, ..., C) to (R, ..., D)."""
        if self.observing:
            self.workload.add(tokens=x.numel() // max(self.in_features, 1))
        return F.linear(
            self.quantize_input(x, workspace),
            self.effective_weight(),
            self.bias,
        )

    def quantize_input(
        self, x: Tensor, memory: Callable[[Tensor], Tensor] = torch.empty_like
    ) -> Tensor:
        """Quantizes every image of ``x`` on its own, shape unchanged.

        Args:
            x (Tensor): (R, ..., C).
            memory (Callable): Where to write, given what it has to be
                like. Defaults to new memory.
        """
        quantizer = self.input_quantizer
        if quantizer.observer is None and not quantizer.ready:
            return x
        layout = current_instances()
        if isinstance(quantizer, FoldedQuantizer) and quantizer.ready:
            # zeros that a block pads in bypass the LayerNorm that was folded
            x = layout.padded_with(x, quantizer.zero)
        layers_first = layout.layers_first and x.dim() == 4
        if layers_first:
            x = x.transpose(0, 1)
        x = x.contiguous()
        out = x if quantizer.observer is not None else memory(x)
        for (values, counted), (target, _) in zip(
            layout.split(x), layout.split(out), strict=True
        ):
            quantizer(values, counted, target)
        return out.transpose(0, 1) if layers_first else out
