"""Several numbers of groups of one layer, tried in one pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from ..modules.base import QuantModule
from ..modules.linear import QuantLinear
from ..quantizers import ActivationQuantizer


class OneEach(nn.Module):
    """Gives every copy of an image its own quantizer.

    Args:
        quantizers (Sequence[ActivationQuantizer]): One a copy, in order.
        whole (bool): Whether a call brings all copies at once (softmax
            rows) or one (inputs of fully connected layers).
    """

    observer = None
    ready = True

    def __init__(
        self, quantizers: Sequence[ActivationQuantizer], whole: bool
    ) -> None:
        super().__init__()
        self.quantizers = nn.ModuleList(quantizers)
        self.whole = whole
        self._next = 0

    def forward(
        self,
        x: Tensor,
        counted: Tensor | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """See ``ActivationQuantizer.forward``."""
        if not self.whole:
            quantizer = self.quantizers[self._next % len(self.quantizers)]
            self._next += 1
            return quantizer(x, counted, out)
        assert out is x, 'softmax rows are quantized in place'
        rows = len(x) // len(self.quantizers)
        for quantizer, part in zip(
            self.quantizers, x.split(max(rows, 1)), strict=True
        ):
            quantizer(part, out=part)
        return x


def grouped_key(layer: QuantModule) -> str:
    """The name of the quantizer of a layer that owns groups."""
    if isinstance(layer, QuantLinear):
        return 'input_quantizer'
    return 'softmax_quantizer'


@contextmanager
def trying(
    layer: QuantModule, quantizers: Sequence[ActivationQuantizer]
) -> Iterator[None]:
    """Within this context copy ``i`` of an image meets ``quantizers[i]``.

    Args:
        layer (QuantModule): An FC or attention layer.
        quantizers (Sequence[ActivationQuantizer]): Calibrated.
    """
    key = grouped_key(layer)
    own = getattr(layer, key)
    whole = not isinstance(layer, QuantLinear)
    setattr(layer, key, OneEach(quantizers, whole))
    try:
        yield
    finally:
        setattr(layer, key, own)
