"""Shifted windows of mmdet's Swin without padded or permuted copies."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...kernels import library, runs_here
from ..base import take_over
from ..instances import instances
from .float_window_attention import FloatWindowMSA
from .window_attention import QuantWindowMSA
from .window_products import attend_windows


@dataclass(frozen=True)
class WindowLayout:
    """Where the tokens of a feature map go when it is cut into windows.

    Args:
        gather (Tensor): Token of each window position, (nW * N,); L, the
            number of tokens, stands for a token that is padded in.
        scatter (Tensor): Window position of each token, (L,).
        mask (Tensor, optional): Added to the scores, (nW, N, N).
        real (Tensor, optional): Which positions hold a token, bool,
            (nW, N); None where nothing is padded.
    """

    gather: Tensor
    scatter: Tensor
    mask: Tensor | None
    real: Tensor | None


def window_layout(
    height: int, width: int, window: int, shift: int, device: torch.device
) -> WindowLayout:
    """The layout of one feature map.

    Args:
        height (int): Height of the map in tokens.
        width (int): Width of the map in tokens.
        window (int): Side of a window in tokens.
        shift (int): Cyclic shift towards the top left, in tokens.
        device (torch.device): Where the tensors live.
    """
    tokens = height * width
    pad = (0, -width % window, 0, -height % window)
    grid = torch.arange(tokens, device=device).view(height, width)
    grid = F.pad(grid, pad, value=tokens)
    gather = _partition(grid.roll((-shift, -shift), (0, 1)), window)
    real = gather != tokens
    scatter = torch.empty(tokens, dtype=torch.long, device=device)
    scatter[gather[real]] = real.flatten().nonzero()[:, 0]
    mask = None
    if shift:
        rows, columns = (
            _regions(side, window, shift, device) for side in grid.shape
        )
        region = _partition(rows[:, None] * 3 + columns, window)
        apart = region[:, None] != region[:, :, None]
        mask = torch.zeros(apart.shape, device=device)
        mask.masked_fill_(apart, -100.0)
    return WindowLayout(
        gather.flatten(), scatter, mask, None if real.all() else real
    )


def _partition(grid: Tensor, window: int) -> Tensor:
    """(H, W) to (nW, window * window)."""
    blocks = grid.unflatten(1, (-1, window)).unflatten(0, (-1, window))
    return blocks.transpose(1, 2).reshape(-1, window * window)


def _regions(
    side: int, window: int, shift: int, device: torch.device
) -> Tensor:
    """The three stripes that a cyclic shift brings together, (side,)."""
    position = torch.arange(side, device=device)
    return (position >= side - window).long() + (position >= side - shift)


class QuantShiftWindowMSA(nn.Module):
    """Stands for mmdet's ``ShiftWindowMSA``.

    The projections see the tokens of the image in their own order, so an
    image is a row of dimension 0 and padding is one extra token; shifting,
    padding and cutting into windows is a single gather.
    """

    window_size: int
    shift_size: int
    w_msa: FloatWindowMSA
    drop: nn.Module

    @classmethod
    def from_float(cls, module: nn.Module) -> 'QuantShiftWindowMSA':
        """Takes over the submodules of a float ``ShiftWindowMSA``.

        Args:
            module (nn.Module): The float layer.
        """
        layer = cls()
        take_over(layer, module, 'window_size', 'shift_size', 'w_msa', 'drop')
        return layer

    def __init__(self) -> None:
        super().__init__()
        self._layout_of: tuple[object, WindowLayout] | None = None

    def layout(
        self, height: int, width: int, device: torch.device
    ) -> WindowLayout:
        """The layout for this size; the last one is kept."""
        key = (height, width, device)
        if self._layout_of is None or self._layout_of[0] != key:
            self._layout_of = (
                key,
                window_layout(
                    height, width, self.window_size, self.shift_size, device
                ),
            )
        return self._layout_of[1]

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attention inside (shifted) windows.

        Args:
            query (Tensor): Tokens, (B, H * W, C).
            hw_shape (tuple[int, int]): H and W.

        Returns:
            Tensor: (B, H * W, C).
        """
        batch, tokens, channels = query.shape
        layout = self.layout(*hw_shape, query.device)
        if layout.real is not None:
            padding = query.new_zeros(batch, 1, channels)
            query = torch.cat([query, padding], dim=1)
        with instances(tokens=tokens):
            qkv = self.w_msa.qkv(query)
        out = self.attend_windows(qkv, layout, tokens)
        out = self.w_msa.proj_drop(self.w_msa.proj(out))
        return self.drop(out)

    def attend_windows(
        self, qkv: Tensor, layout: WindowLayout, tokens: int
    ) -> Tensor:
        """Attention between the projections.

        Args:
            qkv (Tensor): Q, K and V of all tokens and, where the layout
                pads, of one padded token after them, (B, L or L + 1,
                3 * C); owned by the callee.
            layout (WindowLayout): Of this size.
            tokens (int): L.

        Returns:
            Tensor: (B, L, C).
        """
        batch, _, width = qkv.shape
        kernels = library() if runs_here(qkv) else None
        if (
            kernels is not None
            and isinstance(self.w_msa, QuantWindowMSA)
            and self.w_msa.on_grid(qkv)
            and not (self.training and self.w_msa.attn_drop.p)
        ):
            return attend_windows(
                self.w_msa, qkv, layout.gather, layout.mask, tokens, kernels
            )
        qkv = self.w_msa.quantize_qkv(qkv, tokens)
        windows = qkv.index_select(1, layout.gather)
        out = self.w_msa.attend(
            windows.view(-1, self.window_size**2, width),
            layout.mask,
            layout.real,
        )
        out = out.view(batch, -1, width // 3)
        return out.index_select(1, layout.scatter)
