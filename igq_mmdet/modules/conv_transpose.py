"""Transposed convolutions with statically quantized inputs."""

import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import SpecError
from ..quantizers import StaticQuantizer
from .base import LayerConfig, QuantWeightModule, take_over
from .rescale import rescale


class QuantConvTranspose2d(QuantWeightModule):
    """Stands for ``nn.ConvTranspose2d`` (method, section 4)."""

    in_channels: int
    out_channels: int
    kernel_size: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    input_quantizer: StaticQuantizer

    @classmethod
    def from_float(
        cls, module: nn.ConvTranspose2d, config: LayerConfig
    ) -> 'QuantConvTranspose2d':
        """Takes over the parameters of a float layer.

        Args:
            module (nn.ConvTranspose2d): The float layer.
            config (LayerConfig): Its settings.

        Raises:
            SpecError: The layer has groups, so that its output channels
                do not lie on one axis of the weight.
        """
        if module.groups != 1:
            raise SpecError(
                f'{config.name}: a transposed convolution with groups='
                f'{module.groups} is not supported; exclude it by name'
            )
        layer = cls(config, module.weight, module.bias, channel_axis=1)
        take_over(
            layer,
            module,
            'in_channels',
            'out_channels',
            'kernel_size',
            'stride',
            'padding',
            'output_padding',
            'dilation',
        )
        layer.input_quantizer = StaticQuantizer(
            config.a_bits, config.strict_zero_point
        )
        return layer

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W')."""
        grid = self.on_grid(x)
        inputs = self.quantized(x, grid)
        if self.observing:
            kernel = self.out_channels
            for size in self.kernel_size:
                kernel *= size
            self.workload.add(macs=x.numel() * kernel)
        out = F.conv_transpose2d(
            inputs,
            self.grid_weight() if grid else self.effective_weight(),
            None if grid else self.bias,
            self.stride,
            self.padding,
            self.output_padding,
            1,
            self.dilation,
        )
        return rescale(out, self.grid_scale(), self.bias, -3) if grid else out
