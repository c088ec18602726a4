"""Layers with a weight: float until it is frozen, then codes."""

import sys
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..methods import ROUNDINGS
from ..quantizers import ActivationQuantizer, dequantize_weight
from .base import LayerConfig, QuantModule, holds_integers
from .workspace import workspace


class QuantWeightModule(QuantModule):
    """A layer with a weight: float until frozen, then codes only.

    Args:
        config (LayerConfig): Its settings.
        weight (Tensor): Float weight, taken over, not copied.
        bias (Tensor, optional): Float bias, taken over.

    Attributes:
        channel_axis (int): The axis of the weight's output channels.
        weight (Tensor): Float; once frozen what the codes stand for, made
            anew at each access.
        weight_reader (str): While observing, the function that read
            ``weight`` last: its name and, in brackets, its file.
        weight_codes (Tensor): uint8, shape of the weight, once frozen.
        weight_scale (Tensor): (D, 1), float32, once frozen.
        weight_zero_point (Tensor): (D, 1), float32, once frozen.
    """

    channel_axis: ClassVar[int] = 0
    weight_reader: str = ''
    input_quantizer: Any
    weight_codes: Tensor
    weight_scale: Tensor
    weight_zero_point: Tensor

    def __init__(
        self, config: LayerConfig, weight: Tensor, bias: Tensor | None
    ) -> None:
        super().__init__(config)
        self.weight = weight
        self.bias = bias

    def __getattr__(self, name: str) -> Any:
        if name == 'weight':
            if self.__dict__.get('observing'):
                code = sys._getframe(1).f_code
                name_of = getattr(code, 'co_qualname', code.co_name)
                self.weight_reader = f'{name_of} ({code.co_filename})'
            if self.frozen:
                return self.effective_weight()
        return super().__getattr__(name)

    @property
    def frozen(self) -> bool:
        """Whether the weight is held as codes."""
        return 'weight_codes' in self.__dict__.get('_buffers', ())

    def rows(self, weight: Tensor | None = None) -> Tensor:
        """One row an output channel, (D, K).

        Args:
            weight (Tensor, optional): Of the shape of ``weight``. Defaults
                to that itself, as it is multiplied.
        """
        if weight is None:
            weight = self.effective_weight().detach()
        return self._rows(weight)

    def _rows(self, weight: Tensor) -> Tensor:
        """The weight with one row an output channel, (D, K)."""
        return weight.transpose(0, self.channel_axis).flatten(1)

    def _unrows(self, rows: Tensor, shape: torch.Size) -> Tensor:
        """The inverse of :meth:`_rows` for a weight of ``shape``."""
        moved = list(shape)
        axis = self.channel_axis
        moved[0], moved[axis] = moved[axis], moved[0]
        return rows.view(moved).transpose(0, axis).contiguous()

    @torch.no_grad()
    def rounded(
        self, hessian: Tensor | None = None, target: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rounds the float weight, which stays.

        Args:
            hessian (Tensor, optional): See :class:`Rounding`; where groups
                of outputs see inputs of their own, one each, (G, K, K).
            target (Tensor, optional): What to round instead, one row an
                output channel, (D, K).

        Returns:
            tuple[Tensor, Tensor, Tensor]: What :meth:`adopt_codes` takes.
        """
        shape = self.weight.shape
        rows = self._rows(self.weight.detach())
        if target is not None:
            rows = target.to(rows)
        rounding = ROUNDINGS.build(self.config.weights)
        if hessian is None or hessian.dim() == 2:
            codes, scale, zero_point = rounding(rows, self.config, hessian)
        else:
            groups = zip(rows.chunk(len(hessian)), hessian, strict=True)
            parts = [rounding(own, self.config, h) for own, h in groups]
            codes, scale, zero_point = map(torch.cat, zip(*parts, strict=True))
        return self._unrows(codes, shape), scale, zero_point

    def freeze(
        self, hessian: Tensor | None = None, target: Tensor | None = None
    ) -> None:
        """Replaces the float weight by codes, see :meth:`rounded`."""
        if not self.frozen:
            self.adopt_codes(*self.rounded(hessian, target))

    def seen(self, x: Tensor) -> Tensor:
        """What the weight is multiplied by, as rows of a matrix.

        Of tokens that count for statistics; a convolution looks at a part
        of a large map. Called where :meth:`forward` was.

        Args:
            x (Tensor): The input.

        Returns:
            Tensor: (G, R, K), G groups of channels with inputs and outputs
            of their own.
        """
        raise NotImplementedError

    def made(self, y: Tensor) -> Tensor:
        """What the layer made of the rows of :meth:`seen`.

        Args:
            y (Tensor): The output.

        Returns:
            Tensor: (R, D).
        """
        raise NotImplementedError

    def adopt_codes(
        self, codes: Tensor, scale: Tensor, zero_point: Tensor
    ) -> None:
        """Holds these codes instead of a float weight or other codes.

        Args:
            codes (Tensor): uint8, shape of the weight.
            scale (Tensor): (D, 1).
            zero_point (Tensor): (D, 1).
        """
        if not self.frozen:
            del self.weight
        self.register_buffer('weight_codes', codes)
        self.register_buffer('weight_scale', scale)
        self.register_buffer('weight_zero_point', zero_point)

    def frozen_like(self) -> None:
        """Takes the shape of a frozen layer; values are to be loaded."""
        if self.frozen:
            return
        channels = self._rows(self.weight).shape[0]
        column = self.weight.new_zeros(channels, 1, dtype=torch.float32)
        self.adopt_codes(
            torch.zeros_like(self.weight, dtype=torch.uint8),
            column,
            column.clone(),
        )

    def quantized(self, x: Tensor, grid: bool = False) -> Tensor:
        """The input through ``input_quantizer``, as one tensor.

        Args:
            x (Tensor): Any shape.
            grid (bool): As ``q - z``, where the quantizer is a static one.
                Defaults to False.

        Returns:
            Tensor: ``x``, or quantized values to be used up before the
            next call, whose result may take their place in memory.
        """
        quantizer: ActivationQuantizer = self.input_quantizer
        if quantizer.observer is not None or not quantizer.ready:
            return quantizer(x)
        x = x.contiguous()
        out = workspace(x)
        if not grid or not x.numel():
            return quantizer(x, out=out)
        return self.input_quantizer.integers(x, out)

    def effective_weight(self) -> Tensor:
        """The weight that is multiplied: float, or dequantized codes."""
        if not self.frozen:
            return self.weight
        return self.values_of(
            self.weight_codes, self.weight_scale, self.weight_zero_point
        )

    def values_of(
        self, codes: Tensor, scale: Tensor, zero_point: Tensor
    ) -> Tensor:
        """The weight that codes stand for, see :meth:`adopt_codes`."""
        rows = dequantize_weight(self._rows(codes), scale, zero_point)
        return self._unrows(rows, codes.shape)

    def on_grid(self, x: Tensor) -> bool:
        """Whether input and weight can be multiplied as integers.

        Integers in float32 add up exactly in any order while the sum stays
        below 2^24, which makes the simulation equal to integer execution
        bit by bit. Half precision holds too few of them.

        Args:
            x (Tensor): The input.
        """
        form = self.input_quantizer.form
        return form == 'common_step' and self.grid_possible(x)

    def grid_possible(self, x: Tensor) -> bool:
        """Whether the layer holds codes and quantizes ``x`` to integers."""
        quantizer = self.input_quantizer
        return (
            self.frozen
            and quantizer.ready
            and quantizer.observer is None
            and holds_integers(x)
        )

    def grid_weight(self) -> Tensor:
        """``w - z_w``, shape of the weight, to be used up at once."""
        codes = self._rows(self.weight_codes)
        zero_point = self.weight_zero_point
        out = workspace(zero_point.expand(codes.shape), 'weight')
        rows = dequantize_weight(codes, None, zero_point, out)
        return self._unrows(rows, self.weight_codes.shape)

    def grid_scale(self) -> Tensor:
        """What a sum over the grid is multiplied by, ``s_w s_0``, (D,)."""
        scale: Tensor = self.weight_scale.view(-1)
        return scale * self.input_quantizer.grid_step

    def extra_repr(self) -> str:
        state = 'codes' if self.frozen else 'float'
        return f'w_bits={self.config.w_bits}, weight={state}'
