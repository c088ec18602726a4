"""Tells box heads which image each RoI belongs to.

Heads get the features of all RoIs of a batch in one tensor; only the RoI
extractor before them sees the image index.
"""

from typing import Any

import torch
from torch import Tensor, nn

from .instances import current_instances, instances
from .variant import Variant


class RoIImages:
    """Carries the image of each RoI from an extractor to a head."""

    def __init__(self) -> None:
        self.rows: tuple[int, ...] | None = None
        self._scopes: list[Any] = []

    def record(self, extractor: nn.Module, args: tuple[Any, ...]) -> None:
        """Forward pre-hook of an extractor: ``args`` are (feats, rois)."""
        image = args[1][:, 0]
        if image.numel() and bool((image[1:] < image[:-1]).any()):
            raise ValueError('RoIs must be ordered by image')
        self.rows = tuple(
            torch.unique_consecutive(image, return_counts=True)[1].tolist()
        )

    def enter(self, head: nn.Module, args: tuple[Any, ...]) -> None:
        """Forward pre-hook of a head."""
        features = args[0]
        rows = self.rows
        if not isinstance(features, Tensor) or rows is None:
            rows = None
        elif sum(rows) != features.shape[0]:
            raise ValueError(
                f'the head got {features.shape[0]} RoIs, the extractor '
                f'{sum(rows)}'
            )
        scope = instances(rows=rows)
        scope.__enter__()
        self._scopes.append(scope)

    def leave(self, head: nn.Module, args: Any, output: Any) -> None:
        """Forward hook of a head, also called when it raises."""
        self._scopes.pop().__exit__(None, None, None)


class SideRowsHead(Variant):
    """Stands for SABL's box head, whose layers see the sides of RoIs.

    A RoI has as many rows there as its feature is wide.
    """

    def reg_pred(self, x: Tensor, *args: Any) -> Any:
        """As the float class; ``x`` is (RoIs, sides, C)."""
        rois = current_instances().rows or (1,) * x.shape[0]
        with instances(rows=tuple(count * x.shape[1] for count in rois)):
            return super().reg_pred(x, *args)  # type: ignore[misc]


def attach_roi_images(model: nn.Module) -> None:
    """Connects every box head of a model with its RoI extractor.

    Args:
        model (nn.Module): A detector; others are left as they are.
    """
    for module in list(model.modules()):
        extractors = getattr(module, 'bbox_roi_extractor', None)
        heads = getattr(module, 'bbox_head', None)
        if extractors is None or heads is None:
            continue
        for extractor, head in zip(
            _each(extractors), _each(heads), strict=True
        ):
            images = RoIImages()
            extractor.register_forward_pre_hook(images.record)
            head.register_forward_pre_hook(images.enter)
            head.register_forward_hook(images.leave, always_call=True)


def _each(module: nn.Module) -> list[nn.Module]:
    return list(module) if isinstance(module, nn.ModuleList) else [module]
