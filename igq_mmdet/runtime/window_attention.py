"""Windowed attention whose two products run on integer codes."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..kernels import library, recorded
from ..kernels.call import Library
from ..kernels.guard import single_on_cpu, standard_only
from ..modules.attention.attention import QuantProducts
from ..modules.attention.shift_window_attention import (
    QuantShiftWindowMSA,
    WindowLayout,
)
from ..modules.attention.window_attention import QuantWindowMSA
from ..modules.attention.window_products import window_codes
from ..modules.base import take_over
from ..operators.attention import OUTSIDE, RUN
from ..operators.attention import attention as attention_operator
from ..quantizers import max_code


class IntegerShiftWindowMSA(QuantShiftWindowMSA):
    """Computes what a calibrated ``QuantShiftWindowMSA`` simulates.

    Scores, softmax, its codes and the average of V are computed a window
    and head at a time, the softmax by the float operations that the
    simulation uses: outputs are the same bits.
    """

    w_msa: Any

    @classmethod
    def supports(cls, layer: QuantShiftWindowMSA) -> str | None:
        """Why a layer cannot run on integers, or None if it can.

        Args:
            layer (QuantShiftWindowMSA): With a calibrated attention.
        """
        attention = layer.w_msa
        if type(attention) is not QuantWindowMSA:
            return 'its products are in float'
        reason = refuses(attention, library())
        if reason is not None:
            return reason
        depth = attention.embed_dims // attention.num_heads
        bits = attention.config.a_bits
        if not fits(reach(attention), depth, layer.window_size**2, bits):
            return 'its sums could exceed 32 bits'
        return None

    @classmethod
    def from_quantized(
        cls, layer: QuantShiftWindowMSA
    ) -> 'IntegerShiftWindowMSA':
        """Takes over a layer.

        Args:
            layer (QuantShiftWindowMSA): One that :meth:`supports`.
        """
        own = cls()
        take_over(own, layer, 'window_size', 'shift_size', 'w_msa', 'drop')
        return own

    def __init__(self) -> None:
        super().__init__()
        self._tables_of: tuple[Any, tuple[Tensor, Tensor | None]] | None = None

    @torch.no_grad()
    def attend_windows(
        self, qkv: Tensor, layout: WindowLayout, tokens: int
    ) -> Tensor:
        """See :meth:`QuantShiftWindowMSA.attend_windows`."""
        attention: QuantWindowMSA = self.w_msa
        if (
            standard_only(qkv)
            or attention.observing
            or not single_on_cpu(
                qkv,
                attention.q_quantizer.scale,
                attention.relative_position_bias_table,
            )
        ):
            return super().attend_windows(qkv, layout, tokens)
        bias, mask = self._tables(layout)
        edges, step = attention.softmax_quantizer.row_steps()
        out: Tensor = attention_operator(
            qkv,
            layout.gather,
            bias,
            mask,
            window_codes(attention),
            edges,
            step,
            attention.score_factor(attention.scale),
            tokens,
            attention.config.a_bits,
        )
        return out

    def _tables(self, layout: WindowLayout) -> tuple[Tensor, Tensor | None]:
        """Bias and mask as the kernel reads them; the last are kept."""
        if recorded():
            return self._make_tables(layout)
        table = self.w_msa.relative_position_bias_table
        key = (layout, table, table._version)
        kept = self._tables_of
        if (
            kept is None
            or any(
                a is not b for a, b in zip(kept[0][:2], key[:2], strict=True)
            )
            or kept[0][2] != key[2]
        ):
            kept = self._tables_of = key, self._make_tables(layout)
        return kept[1]

    def _make_tables(
        self, layout: WindowLayout
    ) -> tuple[Tensor, Tensor | None]:
        length = self.window_size**2
        fill = (0, -length % RUN)
        bias = self.w_msa.position_bias(length).float()
        bias = F.pad(bias, fill, value=OUTSIDE).contiguous()
        mask = layout.mask
        if mask is not None:
            mask = F.pad(mask, fill).contiguous()
        return bias, mask


def refuses(attention: QuantProducts, kernels: Library | None) -> str | None:
    """Why an attention cannot run on integers, or None if it can.

    Args:
        attention (QuantProducts): Calibrated.
        kernels (Library, optional): What there is to compute with.
    """
    if kernels is None:
        return 'there are no kernels for attention here'
    rows: Any = attention.softmax_quantizer
    if rows.form is None:
        return 'its softmax codes are not uniform'
    if bool((rows.zero_point != 0).any()):
        return 'its softmax codes have a zero point'
    return None


def reach(attention: QuantProducts) -> list[int]:
    """The largest integers that stand for Q, K and V.

    Args:
        attention (QuantProducts): Calibrated.
    """
    return [
        quantizer.largest_factor()
        for quantizer in (
            attention.q_quantizer,
            attention.k_quantizer,
            attention.v_quantizer,
        )
    ]


def fits(largest: Sequence[int], depth: int, length: int, bits: int) -> bool:
    """Whether sums of both products stay within 32 bits.

    Args:
        largest (Sequence[int]): From :func:`reach`.
        depth (int): Channels of a head.
        length (int): Keys of a query.
        bits (int): Width of softmax codes.
    """
    query, key, value = largest
    sums = depth * query * key, length * max_code(bits) * value
    return max(sums) < 2**31
