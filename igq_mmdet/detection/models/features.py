"""The part of a detector that turns images into features."""

from typing import Any

from torch import Tensor, nn


class DetectorFeatures(nn.Module):
    """Backbone and neck of a detector, which holds them on.

    Args:
        detector (nn.Module): Float or quantized.
    """

    def __init__(self, detector: Any) -> None:
        super().__init__()
        self.backbone = detector.backbone
        self.neck = getattr(detector, 'neck', None)
        self.igq_spec = getattr(detector, 'igq_spec', None)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Normalised images, (B, 3, H, W), to a map of each level."""
        features = self.backbone(images)
        return list(features if self.neck is None else self.neck(features))
