"""Modules of the DETR family that know which tokens are padding."""

from typing import Any

from torch import Tensor, nn

from .instances import instances, instances_inside
from .variant import Variant


class PaddedEncoderLayer(Variant):
    """Stands for DETR's encoder layers: padding stays out of statistics.

    Images of a batch are padded to one size; the tokens of the padding go
    through every layer of the encoder.
    """

    def forward(
        self,
        query: Tensor,
        query_pos: Tensor,
        key_padding_mask: Tensor | None,
        **kwargs: Any,
    ) -> Tensor:
        """As mmdet's ``DetrTransformerEncoderLayer``."""
        with instances(keep=kept_tokens(key_padding_mask)):
            return super().forward(
                query=query,
                query_pos=query_pos,
                key_padding_mask=key_padding_mask,
                **kwargs,
            )


class PaddedDeformableAttention(Variant):
    """Stands for mmcv's ``MultiScaleDeformableAttention``.

    Where it looks is learned; there are no products of activations, only
    its four layers. The projection of values sees padding.
    """

    value_proj: nn.Module

    def forward(
        self,
        query: Tensor,
        *args: Any,
        key_padding_mask: Tensor | None = None,
        **kwargs: Any,
    ) -> Tensor:
        """As the float class."""
        keep = kept_tokens(key_padding_mask)
        with instances_inside(self.value_proj, keep=keep):
            return super().forward(
                query, *args, key_padding_mask=key_padding_mask, **kwargs
            )


class LayersFirstHead(Variant):
    """Stands for heads that get all decoder layers in one tensor."""

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """As the float class."""
        with instances(layers_first=True):
            return super().forward(*args, **kwargs)


def kept_tokens(key_padding_mask: Tensor | None) -> Tensor | None:
    """Which tokens count for statistics, bool, shape of the mask."""
    if key_padding_mask is None:
        return None
    return ~key_padding_mask.bool()
