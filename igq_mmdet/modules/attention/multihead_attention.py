"""Attention of DETR and its kin, all four projections and both products."""

from torch import Tensor

from .attention import QuantAttention


class QuantMultiheadAttention(QuantAttention):
    """Stands for ``nn.MultiheadAttention`` (method, sections 2 to 4)."""

    head_dim: int

    def multiply(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        bias: Tensor | None,
        dropout: float,
        keep_keys: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """Both products quantized, see :meth:`attend`."""
        return self.attend(
            query, key, value, self.head_dim**-0.5, bias, dropout, keep_keys
        )
