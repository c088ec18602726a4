"""Fully connected layers with channel-grouped inputs."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...kernels import without_values
from ...kernels.memory import empty
from ...methods import METHODS, input_quantizer
from ...quantizers import ActivationQuantizer, fake_quantize
from ..base import LayerConfig
from ..instances import Instances, current_instances
from ..weight_module import QuantWeightModule
from ..workspace import workspace
from .grouped_product import grouped_product
from .onnx_products import linear_on_bytes
from .rescale import rescale

# Tokens multiplied at a time: a block of this many values in and out stays
# in the cache, but no fewer rows than a matrix product needs to be quick.
BLOCK = 1 << 19
ROWS = 512


class QuantLinear(QuantWeightModule):
    """Stands for ``nn.Linear`` (method, section 2).

    The input is quantized image by image; what an image is, is said by
    :func:`igq_mmdet.modules.instances.instances`.
    """

    grouped_key = 'input_quantizer'

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
        self.input_quantizer = self.grouped_quantizer(config.groups)

    def grouped_quantizer(self, groups: int) -> ActivationQuantizer:
        return input_quantizer(
            self.config.method,
            self.config.a_bits,
            groups,
            self.config.strict_zero_point,
            self.in_features,
            self.config.ranges,
        )

    def on_grid(self, x: Tensor) -> bool:
        """Whether sums are taken over integers, see the base class.

        Args:
            x (Tensor): The input.
        """
        quantizer = self.input_quantizer
        if x.shape[-1] != self.in_features:
            return False  # torch says what is wrong
        if quantizer.form != 'grouped':
            return super().on_grid(x)
        # kernels, or operators of torch for images of one size together
        single = x.dtype is torch.float32
        return self.grid_possible(x) and (single or without_values(x))

    def forward(self, x: Tensor) -> Tensor:
        """(R, ..., C) to (R, ..., D)."""
        if self.observing:
            self.workload.add(tokens=x.numel() // max(self.in_features, 1))
        if self.on_grid(x):
            return self.forward_on_grid(x)
        return F.linear(
            self.quantize_input(x, workspace),
            self.effective_weight(),
            self.bias,
        )

    @torch.no_grad()
    def forward_on_grid(self, x: Tensor) -> Tensor:
        """Multiplies integers, image by image.

        Args:
            x (Tensor): (R, ..., C), see :meth:`on_grid`.

        Returns:
            Tensor: (R, ..., D).
        """
        if self.input_quantizer.form == 'grouped':
            return self.in_batches(x, self._step_a_group)
        weight, scale = self.grid_weight().T, self.grid_scale()
        if without_values(x):
            multiply = partial(self._common_step_in_graph, weight, scale)
            return self.in_batches(x, multiply)
        return self.each_image(x, partial(self._common_step, weight, scale))

    def in_batches(
        self, x: Tensor, multiply: Callable[[Tensor, Tensor], Tensor]
    ) -> Tensor:
        """Multiplies images of one size together.

        Args:
            x (Tensor): (R, ..., C).
            multiply (Callable): Takes the tokens of some images, (I, N, C),
                and those that statistics are taken from, to (I, N, D).

        Returns:
            Tensor: (R, ..., D).
        """
        layout, x = self._images(x)
        shape = (*x.shape[:-1], self.out_features)
        if x.numel() == 0:
            return self._layers_back(layout, x.new_empty(shape))
        parts = [multiply(*batch) for batch in layout.batches(x)]
        out = parts[0]
        if len(parts) > 1:
            out = torch.cat([part.flatten(0, 1) for part in parts])
        return self._layers_back(layout, out.reshape(shape))

    def each_image(
        self, x: Tensor, multiply: Callable[[Tensor, Tensor, Tensor], None]
    ) -> Tensor:
        """Multiplies image by image.

        Args:
            x (Tensor): (R, ..., C).
            multiply (Callable): Takes the tokens of one image, those that
                statistics are taken from, and where to write.

        Returns:
            Tensor: (R, ..., D).
        """
        layout, x = self._images(x)
        out = empty(x, *x.shape[:-1], self.out_features)
        for (values, counted), (target, _) in zip(
            layout.split(x), layout.split(out), strict=True
        ):
            if len(values):
                # as in ``ActivationQuantizer``: nothing counts, so all does
                multiply(values, counted if len(counted) else values, target)
        return self._layers_back(layout, out)

    def _common_step(
        self,
        weight: Tensor,
        scale: Tensor,
        values: Tensor,
        counted: Tensor,
        out: Tensor,
    ) -> None:
        """One image; a block of tokens stays in the cache."""
        quantizer = self.input_quantizer
        rows = max(ROWS, BLOCK // (self.in_features + self.out_features))
        step, zero_point, multiple = quantizer.grid(counted)
        for block, sums in zip(
            values.split(rows), out.split(rows), strict=True
        ):
            integers = fake_quantize(
                block,
                step,
                zero_point,
                quantizer.bits,
                workspace(block),
                multiple,
            )
            torch.mm(integers, weight, out=sums)
            rescale(sums, scale, self.bias, -1)

    def _common_step_in_graph(
        self, weight: Tensor, scale: Tensor, values: Tensor, counted: Tensor
    ) -> Tensor:
        """The same numbers, images of one size together."""
        quantizer = self.input_quantizer
        grid = tuple(part[..., None, :] for part in quantizer.grids(counted))
        if torch.onnx.is_in_onnx_export():
            codes = self.weight_codes, self.weight_zero_point
            return linear_on_bytes(
                values, grid, quantizer, codes, scale, self.bias
            )
        step, zero_point, multiple = grid
        integers = fake_quantize(
            values, step, zero_point, quantizer.bits, None, multiple
        )
        return rescale(integers @ weight, scale, self.bias, -1)

    def _step_a_group(self, values: Tensor, counted: Tensor) -> Tensor:
        """Images whose channels have one of several steps."""
        return grouped_product(
            values,
            counted,
            self.input_quantizer,
            (self.weight_codes, self.weight_scale, self.weight_zero_point),
            self.bias,
            empty(values, *values.shape[:-1], self.out_features),
        )

    def seen(self, x: Tensor) -> Tensor:
        return self.made(self.quantize_input(x))[None]

    def made(self, y: Tensor) -> Tensor:
        layout = current_instances()
        if layout.layers_first and y.dim() == 4:
            y = y.transpose(0, 1)
        counted = [own for _, own in layout.split(y.contiguous())]
        return torch.cat(counted) if counted else y.reshape(0, y.shape[-1])

    def _images(self, x: Tensor) -> tuple[Instances, Tensor]:
        """How images lie in the input, and the input laid out so."""
        layout = current_instances()
        quantizer = self.input_quantizer
        if quantizer.ready and quantizer.padding is not None:
            # zeros that a block pads in bypass the LayerNorm that was folded
            x = layout.padded_with(x, quantizer.padding)
        if layout.layers_first and x.dim() == 4:
            x = x.transpose(0, 1)
        return layout, x.contiguous()

    def _layers_back(self, layout: Instances, x: Tensor) -> Tensor:
        """Undoes what :meth:`_images` does to dimensions."""
        moved = layout.layers_first and x.dim() == 4
        return x.transpose(0, 1) if moved else x

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
        layout, x = self._images(x)
        if without_values(x) and quantizer.observer is None and x.numel():
            images = [
                quantizer(*image)
                for batch in layout.batches(x)
                for image in zip(*batch, strict=True)
            ]
            return self._layers_back(layout, torch.cat(images).view_as(x))
        out = x if quantizer.observer is not None else memory(x)
        for (values, counted), (target, _) in zip(
            layout.split(x), layout.split(out), strict=True
        ):
            quantizer(values, counted, target)
        return self._layers_back(layout, out)
