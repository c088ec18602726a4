"""``repq``: RepQ-ViT, scales folded into LayerNorms and rows on a log scale.

Li et al., arXiv 2212.08254. One quantizer a channel is found for what a
LayerNorm puts out and reparameterised to one a layer; softmax rows are
quantized on a logarithmic scale of base sqrt(2).
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..fitting.percentile import order_statistic
from ..kernels import without_values
from ..observers import ChannelHistogram, Histogram
from ..quantizers import (
    ActivationQuantizer,
    FitSettings,
    fake_quantize,
    max_code,
    qparams,
)
from .base import METHODS, Method
from .layerwise import StaticQuantizer


class FoldedQuantizer(StaticQuantizer):
    """A per-tensor quantizer reparameterised from one a channel.

    Section 3.3 of the paper: each channel has a scale ``s`` and a zero point
    ``z`` at calibration; the quantizer that remains has their means, and
    the LayerNorm before it yields

        (X + s * r2) / r1      r1 = s / mean(s)      r2 = z - mean(z)

    so that the codes are those of the quantizers of the channels. Folding
    r1 and r2 into the LayerNorm and the layer is done at calibration.

    Args:
        bits (int): Width of a code in bits.
        channels (int): Number of channels, C.
        strict_zero_point (bool): See :class:`ActivationQuantizer`.

    Attributes:
        zero (Tensor): What the float model's 0 has become, (C,): tokens
            that a block pads in after the LayerNorm.
    """

    observes = ChannelHistogram
    zero: Tensor

    def __init__(
        self, bits: int, channels: int, strict_zero_point: bool = False
    ) -> None:
        super().__init__(bits, strict_zero_point)
        self.register_buffer('zero', torch.zeros(channels))

    def fit(self, observer: Any, settings: FitSettings) -> tuple[Tensor, ...]:
        """The bounds of every channel, (C,), to be folded."""
        return fit_channels(
            observer,
            self.bits,
            settings.static_percentiles,
            self.strict_zero_point,
        )

    @property
    def padding(self) -> Tensor:
        return self.zero

    def set_channel_bounds(
        self, lower: Tensor, upper: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Fixes the bounds from those of the channels.

        Args:
            lower (Tensor): Lower bounds, (C,).
            upper (Tensor): Upper bounds, (C,).

        Returns:
            tuple[Tensor, Tensor]: ``r1`` and ``s * r2``, (C,) each,
            float64, to be folded.
        """
        scale, zero_point = qparams(
            lower, upper, self.bits, self.strict_zero_point
        )
        common = scale.double().mean().float().double()
        middle = zero_point.double().mean().round()
        self.set_bounds(
            (-middle * common).float().reshape(1),
            ((max_code(self.bits) - middle) * common).float().reshape(1),
        )
        # what float32 bounds leave of the mean
        common = self.scale.double()
        steps = zero_point.double() - middle
        self.zero.copy_(steps * common)
        return scale.double() / common, steps * scale.double()


def fit_channels(
    histogram: ChannelHistogram,
    bits: int,
    percentiles: Sequence[float],
    strict_zero_point: bool = False,
) -> tuple[Tensor, Tensor]:
    """Chooses the bounds of every channel with the least squared error.

    Args:
        histogram (ChannelHistogram): Of C channels.
        bits (int): Width of a code in bits.
        percentiles (Sequence[float]): Candidates in percent; the first of
            equals wins.
        strict_zero_point (bool): See ``quantizers.qparams``.

    Returns:
        tuple[Tensor, Tensor]: Lower and upper bounds, (C,), float32.
    """
    values, counts = histogram.values()
    below = counts.cumsum(1).double()
    total = below[:, -1:]
    best = torch.full((len(values),), torch.inf, dtype=torch.float64)
    lower, upper = (torch.zeros(len(values)) for _ in range(2))
    for percent in percentiles:
        bounds = []
        for part in (100 - percent, percent):
            rank = (total * (part / 100)).clamp(min=1)
            index = torch.searchsorted(below, rank).clamp(
                max=values.shape[1] - 1
            )
            bounds.append(values.gather(1, index))
        low, high = bounds
        scale, zero_point = qparams(low, high, bits, strict_zero_point)
        error = fake_quantize(values, scale, zero_point, bits).sub_(values)
        loss = (error.square_() * counts).sum(1, dtype=torch.float64)
        better = loss < best
        best = torch.where(better, loss, best)
        lower = torch.where(better, low[:, 0], lower)
        upper = torch.where(better, high[:, 0], upper)
    return lower, upper


@torch.no_grad()
def fake_quantize_log_sqrt2(
    x: Tensor, scale: Tensor, bits: int, out: Tensor | None = None
) -> Tensor:
    """Quantizes and dequantizes softmax outputs (arXiv 2212.08254, 3.4).

        q = max(round(-2 log2(x / s)), 0)     x_hat = s * 2^(-q / 2)

    and 0 where q exceeds 2^b - 1. For inference that is a shift: ``s' *
    2^floor(-q / 2)`` with ``s' = s`` for even q and ``s * sqrt(2)`` for odd
    q: the same numbers.

    The paper's formula clips q instead; its authors' released code, which
    their figures come from, has the 0. It is one value more than b bits
    hold, in favour of a rival; with clipping all small probabilities of a
    row would add up to several times the row at 3 bits.

    Args:
        x (Tensor): Values from 0 to 1, any shape.
        scale (Tensor): s, (1,).
        bits (int): Width of a code in bits.
        out (Tensor, optional): Where to write; may be ``x``. Defaults to a
            new tensor.

    Returns:
        Tensor: The quantized values, in ``out`` unless computed
        :func:`without_values`.
    """
    out = x / scale if without_values(x) else torch.div(x, scale, out=out)
    out.log2_().mul_(-2).round_().clamp_(min=0)
    nothing = out > max_code(bits)
    out.mul_(-0.5)
    # ONNX has no exp2
    powers = torch.onnx.is_in_onnx_export()
    out = torch.pow(2.0, out) if powers else out.exp2_()
    return out.mul_(scale).masked_fill_(nothing, 0)


class LogSqrt2Quantizer(ActivationQuantizer):
    """One scale a layer; 2^b levels that are sqrt(2) apart, and 0."""

    observes = Histogram

    def fit(
        self, observer: Histogram, settings: FitSettings
    ) -> tuple[Tensor, ...]:
        """See :func:`fit_log_sqrt2`."""
        return fit_log_sqrt2(
            *observer.values(), self.bits, settings.static_percentiles
        )

    def refresh(self) -> None:
        """The upper bound is the scale."""
        self.scale.copy_(self.upper)
        self.ready = True

    def quantize(
        self, x: Tensor, counted: Tensor, out: Tensor | None
    ) -> Tensor:
        return fake_quantize_log_sqrt2(x, self.scale, self.bits, out)


def fit_log_sqrt2(
    values: Tensor,
    counts: Tensor,
    bits: int,
    percentiles: Sequence[float],
) -> tuple[Tensor, Tensor]:
    """Chooses the scale with the least squared error.

    Args:
        values (Tensor): Distinct values in ascending order, (P,).
        counts (Tensor): How often each occurred, (P,).
        bits (int): Width of a code in bits.
        percentiles (Sequence[float]): Candidates in percent.

    Returns:
        tuple[Tensor, Tensor]: 0 and the scale, (1,), float32.
    """
    below, mass = counts.cumsum(0), counts.double()
    x = values.float()
    best: tuple[float, Tensor] | None = None
    for percent in percentiles:
        scale = order_statistic(values, below, percent)
        if float(scale) <= 0:
            continue
        error = fake_quantize_log_sqrt2(x, scale, bits).sub_(x).double()
        loss = float((error.square_() * mass).sum())
        if best is None or loss < best[0]:
            best = loss, scale
    assert best is not None, 'softmax rows sum to one'
    return torch.zeros_like(best[1]), best[1]


@METHODS.register_module('repq')
class RepQ(Method):
    """RepQ-ViT; a layer that no LayerNorm feeds is layer-wise."""

    folds = True

    def inputs(
        self, bits: int, groups: int, strict: bool, channels: int
    ) -> ActivationQuantizer:
        return FoldedQuantizer(bits, channels, strict)

    def rows(
        self, bits: int, groups: int, strict: bool
    ) -> ActivationQuantizer:
        return LogSqrt2Quantizer(bits)

    @torch.no_grad()
    def fold(
        self, norm: nn.LayerNorm, layer: Any, lower: Tensor, upper: Tensor
    ) -> None:
        """Moves the channels' scales and zero points out of the quantizer.

        With r1 and r2 of :class:`FoldedQuantizer` the LayerNorm becomes
        ``gamma / r1`` and ``(beta + s * r2) / r1``; the layer takes them
        back with ``W * r1`` and ``b - W (s * r2)``: the same function in
        float.
        """
        weight = layer.weight
        assert not layer.frozen, 'a frozen layer cannot take scales'
        r1, shift = layer.input_quantizer.set_channel_bounds(lower, upper)
        norm.weight.copy_(norm.weight.double() / r1)
        norm.bias.copy_((norm.bias.double() + shift) / r1)
        layer.bias.copy_(layer.bias.double() - weight.double() @ shift)
        weight.copy_(weight.double() * r1)
