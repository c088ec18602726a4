"""Convolutions with statically quantized inputs."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .onnx_products import conv_on_bytes
from .patches import chosen, patches
from .rescale import rescale
from .static_input import StaticInputModule


class QuantConv2d(StaticInputModule):
    """Stands for ``nn.Conv2d`` (method, section 4)."""

    SHAPE = (
        'in_channels',
        'out_channels',
        'kernel_size',
        'stride',
        'padding',
        'dilation',
        'groups',
        'padding_mode',
        '_reversed_padding_repeated_twice',
    )
    in_channels: int
    out_channels: int
    stride: tuple[int, ...]
    padding: str | tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int
    padding_mode: str
    _reversed_padding_repeated_twice: list[int]

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, D, H', W')."""
        grid = self.on_grid(x)
        if grid and torch.onnx.is_in_onnx_export():
            sums = conv_on_bytes(x, self, self.input_quantizer)
            if sums is not None:
                return rescale(sums, self.grid_scale(), self.bias, -3)
        inputs = self.quantized(x, grid)
        padding: Any = self.padding
        if self.padding_mode != 'zeros':
            inputs = F.pad(
                inputs,
                self._reversed_padding_repeated_twice,
                mode=self.padding_mode,
            )
            padding = 0
        out = F.conv2d(
            inputs,
            self.grid_weight() if grid else self.effective_weight(),
            None if grid else self.bias,
            self.stride,
            padding,
            self.dilation,
            self.groups,
        )
        if grid:
            out = rescale(out, self.grid_scale(), self.bias, -3)
        if self.observing:
            kernel = self.in_channels // self.groups
            for size in self.kernel_size:
                kernel *= size
            self.workload.add(macs=out.numel() * kernel)
        return out

    def seen(self, x: Tensor) -> Tensor:
        x = F.pad(
            self.quantized(x),
            self._reversed_padding_repeated_twice,
            mode='constant'
            if self.padding_mode == 'zeros'
            else self.padding_mode,
        )
        taps = [
            dilation * torch.arange(kernel)
            for kernel, dilation in zip(
                self.kernel_size, self.dilation, strict=True
            )
        ]
        height, width = (
            (full - int(tap[-1]) - 1) // stride + 1
            for full, tap, stride in zip(
                x.shape[2:], taps, self.stride, strict=True
            )
        )
        places = chosen((x.shape[0], 1, height, width), self.LIMIT)
        row, column = places // width % height, places % width
        rows = patches(
            x,
            places // (height * width),
            row[:, None] * self.stride[0] + taps[0],
            column[:, None] * self.stride[1] + taps[1],
        )
        return rows.unflatten(1, (self.groups, -1)).transpose(0, 1)
