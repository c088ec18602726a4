"""Fully connected layers executed on integer codes."""

from typing import Any

import torch
from torch import Tensor

from ..modules.layers.linear import QuantLinear
from .common_step import CommonStepProduct
from .grouped import GroupedProduct
from .integer_form import IntegerForm
from .weights import IntegerWeight

# form of the quantizer of the input -> how the layer is multiplied
PRODUCTS: dict[str | None, Any] = {
    'common_step': CommonStepProduct,
    'grouped': GroupedProduct,
}


class IntegerLinear(IntegerForm, QuantLinear):
    """Computes what a frozen ``QuantLinear`` simulates.

    Equal bits while sums stay below 2^24, see docs/performance.md.
    """

    @classmethod
    def refuses(cls, layer: QuantLinear) -> str | None:
        if layer.input_quantizer.form not in PRODUCTS:
            return f'method {layer.config.method} has no integer form'
        return None

    def prepare(self, weight: IntegerWeight) -> None:
        product = PRODUCTS[self.input_quantizer.form]
        self.product = product(weight, self.input_quantizer)

    def forward(self, x: Tensor) -> Tensor:
        """(R, ..., C) to (R, ..., D), float32 on a CPU."""
        if not self.takes(x, -1, self.in_features):
            return super().forward(x)
        with torch.no_grad():
            return self.in_batches(x, self._multiply)

    def _multiply(self, values: Tensor, counted: Tensor) -> Tensor:
        out: Tensor = self.product(values, counted, self.input_quantizer)
        return out
