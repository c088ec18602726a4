"""Modules of the DETR family that know which tokens are padding."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from .instances import instances
from .variant import variant


class PaddedEncoderLayer(nn.Module):
    """Stands for DETR's encoder layers: padding stays out of statistics.

    Images of a batch are padded to one size; the tokens of the padding go
    through every layer of the encoder.
    """

    @classmethod
    def from_float(cls, module: nn.Module) -> 'PaddedEncoderLayer':
        """Takes over everything of a float layer.

        Args:
            module (nn.Module): The float layer.
        """
        return variant(cls, module)

    def forward(
        self,
        query: Tensor,
        query_pos: Tensor,
        key_padding_mask: Tensor | None,
        **kwargs: Any,
    ) -> Tensor:
        """As mmdet's ``DetrTransformerEncoderLayer``."""
        with instances(keep=_kept(key_padding_mask)):
            return super().forward(
                query=query,
                query_pos=query_pos,
                key_padding_mask=key_padding_mask,
                **kwargs,
            )


class PaddedDeformableAttention(nn.Module):
    """Stands for mmcv's ``MultiScaleDeformableAttention``.

    Where it looks is learned; there are no products of activations, only
    its four layers. The projection of values sees padding.
    """

    value_proj: nn.Module

    @classmethod
    def from_float(cls, module: nn.Module) -> 'PaddedDeformableAttention':
        """Takes over everything of a float layer.

        Args:
            module (nn.Module): The float layer.
        """
        return variant(cls, module)

    def forward(
        self,
        query: Tensor,
        *args: Any,
        key_padding_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """As the float class."""
        with _inside(self.value_proj, _kept(key_padding_mask)):
            return super().forward(
                query, *args, key_padding_mask=key_padding_mask, **kwargs
            )


class LayersFirstHead(nn.Module):
    """Stands for heads that get all decoder layers in one tensor."""

    @classmethod
    def from_float(cls, module: nn.Module) -> 'LayersFirstHead':
        """Takes over everything of a float head.

        Args:
            module (nn.Module): The float head.
        """
        return variant(cls, module)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the float class."""
        with instances(layers_first=True):
            return super().forward(*args, **kwargs)


def _kept(key_padding_mask: Tensor | None) -> Tensor | None:
    if key_padding_mask is None:
        return None
    return ~key_padding_mask.bool()


@contextmanager
def _inside(layer: nn.Module, keep: Tensor | None) -> Iterator[None]:
    """Declares padding for one layer, not for those around it."""
    scope = instances(keep=keep)

    def enter(module: nn.Module, args: Any) -> None:
        scope.__enter__()

    def leave(module: nn.Module, args: Any, output: Any) -> None:
        scope.__exit__(None, None, None)

    if keep is None:
        yield
        return
    hooks = [
        layer.register_forward_pre_hook(enter),
        layer.register_forward_hook(leave, always_call=True),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
