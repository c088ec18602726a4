"""One calibration image through a detector, so that every head sees data."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from mmengine.structures import InstanceData
from torch import nn

# Proposals the mask head sees on an image without a detection.
PROPOSALS = 20


def calibration_forward(detector: nn.Module, batch: dict[str, Any]) -> Any:
    """Predicts on one batch; the mask head always gets RoIs.

    Args:
        detector (nn.Module): An mmdet detector.
        batch (dict): What its ``test_step`` takes.
    """
    with masks_of_proposals(detector):
        return detector.test_step(batch)  # type: ignore[operator]


@contextmanager
def masks_of_proposals(detector: nn.Module) -> Iterator[None]:
    """Where nothing is detected, hands the mask head the best proposals.

    An image without a detection would leave the mask head without data
    (method, section 4: every quantizer must have seen some). Its best
    scored proposals, whatever their score, take the place of detections.

    Args:
        detector (nn.Module): Any detector; without a mask head nothing
            changes.
    """
    head: Any = getattr(detector, 'roi_head', None)
    if head is None or not getattr(head, 'with_mask', False):
        yield
        return
    predict, predict_mask = head.predict, head.predict_mask
    own = {
        name: vars(head)[name]
        for name in ('predict', 'predict_mask')
        if name in vars(head)
    }
    proposals: list[InstanceData] = []

    def remember(x: Any, rpn_results_list: Any, *args: Any, **kw: Any) -> Any:
        proposals[:] = rpn_results_list
        return predict(x, rpn_results_list, *args, **kw)

    def fill(
        x: Any, metas: Any, results_list: Any, *args: Any, **kw: Any
    ) -> Any:
        filled = [
            result if len(result) else _best(proposal)
            for result, proposal in zip(results_list, proposals, strict=True)
        ]
        return predict_mask(x, metas, filled, *args, **kw)

    head.predict, head.predict_mask = remember, fill
    try:
        yield
    finally:
        del head.predict, head.predict_mask
        vars(head).update(own)


def _best(proposals: InstanceData) -> InstanceData:
    order = proposals.scores.argsort(descending=True)[:PROPOSALS]
    best = InstanceData()
    best.bboxes = proposals.bboxes[order]
    best.scores = proposals.scores[order]
    best.labels = torch.zeros(
        len(order), dtype=torch.long, device=order.device
    )
    return best
