"""One calibration image through a detector, so that every head sees data."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from mmdet.models.roi_heads import BaseRoIHead
from mmengine.structures import InstanceData
from torch import Tensor, nn

# Boxes that later heads see on an image without a detection.
BOXES = 20
# Parts of an image along each side, where proposals are made up.
PARTS = (1, 2, 4)


def calibration_forward(detector: nn.Module, batch: dict[str, Any]) -> Any:
    """Predicts on one batch; every head of RoIs gets some.

    Args:
        detector (nn.Module): An mmdet detector.
        batch (dict): What its ``test_step`` takes.
    """
    with boxes_for_all_heads(detector):
        return detector.test_step(batch)  # type: ignore[operator]


@contextmanager
def boxes_for_all_heads(detector: nn.Module) -> Iterator[None]:
    """Where nothing is proposed or detected, the next head gets boxes.

    An image without a proposal would leave the box head without data, one
    without a detection whatever looks at detections, such as mask, grid
    and point heads (method, section 4: every quantizer must have seen
    some). Only what is handed from one head to the next is filled in; how
    a head is called is up to mmdet, for no two of them are called alike.

    Args:
        detector (nn.Module): Any detector; without RoI heads nothing
            changes.
    """
    with ExitStack() as stack:
        for head in detector.modules():
            if isinstance(head, BaseRoIHead) and head.with_bbox:
                last = head.bbox_head
                if isinstance(last, nn.ModuleList):
                    last = last[-1]
                stack.enter_context(
                    _instead(head, 'predict', _with_proposals(head.predict))
                )
                stack.enter_context(
                    _instead(
                        last,
                        'predict_by_feat',
                        _with_detections(last.predict_by_feat),
                    )
                )
        yield


@contextmanager
def _instead(
    module: nn.Module, name: str, method: Callable[..., Any]
) -> Iterator[None]:
    """Replaces a method of one module, which may be replaced already."""
    own = vars(module)
    before = {name: own[name]} if name in own else {}
    own[name] = method
    try:
        yield
    finally:
        del own[name]
        own.update(before)


def _with_proposals(predict: Callable[..., Any]) -> Callable[..., Any]:
    """``predict`` of an RoI head; made-up proposals where there are none."""

    def method(*args: Any, **kwargs: Any) -> Any:
        call = inspect.signature(predict).bind(*args, **kwargs)
        features = call.arguments['x']
        call.arguments['rpn_results_list'] = [
            found if len(found) else made_up(sample.img_shape, features[0])
            for found, sample in zip(
                call.arguments['rpn_results_list'],
                call.arguments['batch_data_samples'],
                strict=True,
            )
        ]
        return predict(*call.args, **call.kwargs)

    return method


def _with_detections(predict: Callable[..., Any]) -> Callable[..., Any]:
    """``predict_by_feat`` of a box head; keeps the best where none passes."""

    def method(*args: Any, **kwargs: Any) -> Any:
        results = predict(*args, **kwargs)
        call = inspect.signature(predict).bind(*args, **kwargs)
        config = call.arguments.get('rcnn_test_cfg')
        # rescaled boxes are the result; no head looks at them
        if config is None or call.arguments.get('rescale'):
            return results
        if all(map(len, results)):
            return results
        # of the same type, which makes that of nested ones
        call.arguments['rcnn_test_cfg'] = type(config)(
            {
                **config,
                'score_thr': -1.0,
                # a soft one drops low scores
                'nms': {'type': 'nms', 'iou_threshold': 0.5},
                'max_per_img': BOXES,
            }
        )
        best = predict(*call.args, **call.kwargs)
        return [
            result if len(result) else other
            for result, other in zip(results, best, strict=True)
        ]

    return method


def made_up(shape: tuple[int, int], like: Tensor) -> InstanceData:
    """Proposals for an image in which none was found.

    Args:
        shape (tuple[int, int]): Height and width of the image.
        like (Tensor): Of the dtype and on the device they should have.

    Returns:
        InstanceData: The whole image, its quarters and sixteenths as
        ``bboxes`` (21, 4), with ``scores`` and ``labels``.
    """
    boxes = [
        (column / parts, row / parts, (column + 1) / parts, (row + 1) / parts)
        for parts in PARTS
        for row in range(parts)
        for column in range(parts)
    ]
    height, width = shape[:2]
    found = InstanceData()
    found.bboxes = like.new_tensor(boxes) * like.new_tensor(
        (width, height, width, height)
    )
    found.scores = like.new_ones(len(boxes))
    found.labels = torch.zeros(
        len(boxes), dtype=torch.long, device=like.device
    )
    return found
