"""Transposed convolutions with statically quantized inputs."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...errors import SpecError
from ..base import LayerConfig
from .patches import chosen, patches
from .rescale import rescale
from .static_input import StaticInputModule


class QuantConvTranspose2d(StaticInputModule):
    """Stands for ``nn.ConvTranspose2d`` (method, section 4)."""

    SHAPE = (
        'in_channels',
        'out_channels',
        'kernel_size',
        'stride',
        'padding',
        'output_padding',
        'dilation',
    )
    channel_axis = 1
    in_channels: int
    out_channels: int
    stride: tuple[int, ...]
    padding: tuple[int, ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]

    @classmethod
    def from_float(
        cls, module: Any, config: LayerConfig
    ) -> 'StaticInputModule':
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
        return super().from_float(module, config)

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

    def seen(self, x: Tensor) -> Tensor:
        height, width = (
            (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra
            for size, stride, padding, dilation, kernel, extra in zip(
                x.shape[2:],
                self.stride,
                self.padding,
                self.dilation,
                self.kernel_size,
                [one + 1 for one in self.output_padding],
                strict=True,
            )
        )
        places = chosen((x.shape[0], 1, height, width), self.LIMIT)
        at = places // width % height, places % width
        rows, columns = (
            self._sources(at[axis], axis) for axis in range(len(at))
        )
        image = places // (height * width)
        return patches(self.quantized(x), image, rows, columns)[None]

    def _sources(self, at: Tensor, axis: int) -> Tensor:
        """What each tap of the kernel takes an output from; -1: nothing."""
        taps = self.dilation[axis] * torch.arange(self.kernel_size[axis])
        spread = at[:, None] + self.padding[axis] - taps
        stride = self.stride[axis]
        return torch.where(spread % stride == 0, spread // stride, -1)
