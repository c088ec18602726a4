"""What a way to round weights is, and the registry of them."""

from typing import ClassVar, Protocol

from torch import Tensor

from ..open_registry import OpenRegistry


class WeightSettings(Protocol):
    """What rounding depends on; a ``LayerConfig`` is one."""

    @property
    def w_bits(self) -> int:
        """Width of a code in bits."""

    @property
    def weight_percentiles(self) -> tuple[float, ...]:
        """Candidates for bounds, in percent."""

    @property
    def weight_scope(self) -> str:
        """See :func:`quantize_weight`."""

    @property
    def strict_zero_point(self) -> bool:
        """Whether zero points are clipped to the range of the codes."""


class Rounding:
    """Makes codes of float weights; derived classes are ways to do so.

    Attributes:
        needs_hessian (bool): Whether ``hessian`` is to be collected, which
            takes further passes over the calibration images.
        fits_outputs (bool): Whether the weight that is rounded is the one
            that best turns quantized inputs into the float model's outputs
            instead of the float weight. Goes with ``needs_hessian``.
    """

    needs_hessian: ClassVar[bool] = False
    fits_outputs: ClassVar[bool] = False

    def __call__(
        self,
        weight: Tensor,
        settings: WeightSettings,
        hessian: Tensor | None = None,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Rounds the weight of one layer.

        Args:
            weight (Tensor): One row an output channel, (D, K), float32.
            settings (WeightSettings): Of the layer.
            hessian (Tensor, optional): Mean of ``x x^T`` over the inputs of
                the layer, (K, K), where it was collected. Defaults to None.

        Returns:
            tuple[Tensor, Tensor, Tensor]: Codes, uint8, (D, K), scale and
            zero point, float32, (D, 1): the weight is ``s (q - z)``.
        """
        raise NotImplementedError


ROUNDINGS: OpenRegistry[Rounding] = OpenRegistry(
    'weights', Rounding, steps=True
)
