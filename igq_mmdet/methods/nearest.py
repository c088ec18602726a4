"""``nearest``: every weight to its nearest code (method, section 1)."""

from torch import Tensor

from ..quantizers import quantize_weight
from .rounding import ROUNDINGS, Rounding, WeightSettings


@ROUNDINGS.register_module('nearest')
class Nearest(Rounding):
    """Bounds by the best percentile, then the nearest code."""

    def __call__(
        self,
        weight: Tensor,
        settings: WeightSettings,
        hessian: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        codes, scale, zero_point, _ = quantize_weight(
            weight,
            settings.w_bits,
            settings.weight_percentiles,
            settings.strict_zero_point,
            settings.weight_scope,
        )
        return codes, scale, zero_point
