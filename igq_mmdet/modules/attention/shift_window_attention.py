"""Shifted windows of mmdet's Swin without padded or permuted copies."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...kernels import recorded
from ..base import take_over
from ..instances import instances
from .float_window_attention import FloatWindowMSA
from .window_attention import QuantWindowMSA
from .window_products import attend_windows

Pair = tuple[int, int]
APART = -100.0  # score of tokens that only the shift brought together


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
    height: int, width: int, window: Pair, shift: Pair, device: torch.device
) -> WindowLayout:
    """The layout of one feature map.

    Args:
        height (int): Height of the map in tokens.
        width (int): Width of the map in tokens.
        window (Pair): Height and width of a window in tokens.
        shift (Pair): Cyclic shift up and to the left, in tokens.
        device (torch.device): Where the tensors live.
    """
    tokens = height * width
    below, right = -height % window[0], -width % window[1]
    grid = torch.arange(tokens, device=device).view(height, width)
    grid = F.pad(grid, (0, right, 0, below), value=tokens)
    gather = _partition(grid.roll((-shift[0], -shift[1]), (0, 1)), window)
    rows, columns = (
        (torch.arange(side, device=device) - moved) % full
        for side, moved, full in zip(
            (height, width), shift, grid.shape, strict=True
        )
    )
    window_of = (
        rows[:, None] // window[0] * (grid.shape[1] // window[1])
        + columns // window[1]
    )
    place = rows[:, None] % window[0] * window[1] + columns % window[1]
    scatter = window_of * (window[0] * window[1]) + place
    mask = None
    if any(shift):
        vertical, horizontal = (
            _stripes(*sides, device)
            for sides in zip(grid.shape, window, shift, strict=True)
        )
        region = _partition(vertical[:, None] * 3 + horizontal, window)
        apart = region[:, None] != region[:, :, None]
        mask = torch.zeros(apart.shape, dtype=torch.float32, device=device)
        mask.masked_fill_(apart, APART)
    real = gather != tokens if below or right else None
    return WindowLayout(gather.flatten(), scatter.flatten(), mask, real)


def _partition(grid: Tensor, window: Pair) -> Tensor:
    """(H, W) to (nW, Wh * Ww)."""
    blocks = grid.unflatten(1, (-1, window[1])).unflatten(0, (-1, window[0]))
    return blocks.transpose(1, 2).reshape(-1, window[0] * window[1])


def _stripes(
    side: int, window: int, shift: int, device: torch.device
) -> Tensor:
    """The three stripes that a cyclic shift brings together, (side,)."""
    position = torch.arange(side, device=device)
    return (position >= side - window).long() + (position >= side - shift)


class KeptLayout:
    """Makes layouts and keeps the last one."""

    def __init__(self) -> None:
        self._last: tuple[object, WindowLayout] | None = None

    def __call__(
        self,
        height: int,
        width: int,
        window: Pair,
        shift: Pair,
        device: torch.device,
    ) -> WindowLayout:
        """See :func:`window_layout`."""
        key = height, width, window, shift, device
        if torch.onnx.is_in_onnx_export():
            # traced sizes; a constant of the graph, from the run before
            key = int(height), int(width), window, shift, device
        elif recorded():
            return window_layout(*key)
        if self._last is None or self._last[0] != key:
            with torch.inference_mode(False):  # outlives the caller's mode
                self._last = key, window_layout(*key)
        return self._last[1]


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
        self.layout = KeptLayout()

    def forward(self, query: Tensor, hw_shape: tuple[int, int]) -> Tensor:
        """Attention inside (shifted) windows.

        Args:
            query (Tensor): Tokens, (B, H * W, C).
            hw_shape (tuple[int, int]): H and W.

        Returns:
            Tensor: (B, H * W, C).
        """
        batch, tokens, channels = query.shape
        window, shift = (
            (side, side) for side in (self.window_size, self.shift_size)
        )
        layout = self.layout(*hw_shape, window, shift, query.device)
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
        attention = self.w_msa
        if isinstance(attention, QuantWindowMSA):
            if attention.in_blocks(qkv):
                return attend_windows(
                    attention, qkv, layout.gather, layout.mask, tokens
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
