"""Several numbers of groups of one layer, tried in one pass."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from ..modules.base import QuantModule
from ..quantizers import ActivationQuantizer


class OneEach(nn.Module):
    """Gives every copy of an image its own quantizer.

    Args:
        quantizers (Sequence[ActivationQuantizer]): One a copy, in order.
        whole (bool): Whether a call brings all copies at once (softmax
            rows) or one (inputs of fully connected layers).
        images (int): Images in a copy. Defaults to 1.
    """

    observer = None
    ready = True
    form = None
    padding = None

    def __init__(
        self,
        quantizers: Sequence[ActivationQuantizer],
        whole: bool,
        images: int = 1,
    ) -> None:
        super().__init__()
        self.quantizers = nn.ModuleList(quantizers)
        self.whole = whole
        self.images = images
        self._next = 0

    def forward(
        self,
        x: Tensor,
        counted: Tensor | None = None,
        out: Tensor | None = None,
    ) -> Tensor:
        """See ``ActivationQuantizer.forward``."""
        if not self.whole:
            copy = self._next // self.images % len(self.quantizers)
            self._next += 1
            quantizer = self.quantizers[copy]
            return quantizer(x, counted, out)
        assert out is x, 'softmax rows are quantized in place'
        parts = x.tensor_split(len(self.quantizers))
        for quantizer, part in zip(self.quantizers, parts, strict=True):
            quantizer(part, out=part)
        return x


@contextmanager
def trying(
    layer: QuantModule,
    quantizers: Sequence[ActivationQuantizer],
    images: int = 1,
) -> Iterator[None]:
    """Within this context copy ``i`` of an image meets ``quantizers[i]``.

    Args:
        layer (QuantModule): An FC or attention layer.
        quantizers (Sequence[ActivationQuantizer]): Calibrated.
        images (int): Images in a copy. Defaults to 1.
    """
    key = layer.grouped_key
    assert key is not None
    own = getattr(layer, key)
    whole = key == 'softmax_quantizer'
    setattr(layer, key, OneEach(quantizers, whole, images))
    try:
        yield
    finally:
        setattr(layer, key, own)
