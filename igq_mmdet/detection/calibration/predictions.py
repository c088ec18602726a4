"""Class logits of detectors, with proposals fixed to the float model's."""

import inspect
from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from mmdet.structures.bbox import bbox2roi
from torch import Tensor, nn

from ...errors import SpecError
from .fixed_rois import FixedRoIs


class RoIPredictions:
    """Class logits per RoI of a two-stage detector (method, section 5).

    The float model proposes once an image; every model asked afterwards
    classifies those RoIs, in a cascade those of every stage.

    Args:
        detector (nn.Module): The float detector.
    """

    def __init__(self, detector: nn.Module) -> None:
        self.detector = detector
        self.fixed_rois = FixedRoIs()
        self._images: dict[int, tuple[Any, Tensor, list[Tensor]]] = {}

    def __call__(
        self, model: nn.Module, batch: Any, copies: int = 1
    ) -> list[Tensor]:
        """Class logits of one image.

        Args:
            model (nn.Module): The detector or a quantized copy of it.
            batch (dict): One image, as ``test_step`` takes it.
            copies (int): How often to repeat the image. Defaults to 1.

        Returns:
            list[Tensor]: One tensor a stage, (copies * R, classes); where
            classes are independent (sigmoid), (copies * R * classes, 2).
        """
        if id(batch) not in self._images:
            self._images = {id(batch): self._propose(batch)}
        _, image, rois = self._images[id(batch)]
        detector: Any = model
        features = detector.backbone(image.repeat(copies, 1, 1, 1))
        if detector.with_neck:
            features = detector.neck(features)
        head = detector.roi_head
        extractors = _stages(head.bbox_roi_extractor)
        outputs = []
        for extractor, box_head, boxes in zip(
            extractors, _stages(head.bbox_head), rois, strict=True
        ):
            tiled = bbox2roi([boxes[:, 1:]] * copies)
            with self.fixed_rois.pooling(extractor):
                pooled = extractor(features[: extractor.num_inputs], tiled)
            outputs.append(_class_rows(box_head, box_head(pooled)[0]))
        return outputs

    def _propose(self, batch: Any) -> tuple[Any, Tensor, list[Tensor]]:
        detector: Any = self.detector
        data = detector.data_preprocessor(batch, False)
        image, samples = data['inputs'], data['data_samples']
        if len(image) != 1:
            raise SpecError('allocation takes batches of one image')
        features = detector.extract_feat(image)
        proposals = detector.rpn_head.predict(features, samples, rescale=False)
        head = detector.roi_head
        seen: list[Tensor] = []
        handles = [
            extractor.register_forward_pre_hook(
                lambda _, args: seen.append(args[1])
            )
            for extractor in _stages(head.bbox_roi_extractor)
        ]
        try:
            head.predict(features, proposals, samples)
        finally:
            for handle in handles:
                handle.remove()
        stages = len(handles)
        if not seen:  # no proposals: nobody asked for their features
            seen = [image.new_zeros(0, 5)] * stages
        # extractors that also serve masks come by again, after all boxes;
        # the batch is kept so that its id stays its own
        return batch, image, seen[:stages]


class QueryPredictions:
    """Class logits per query of a DETR-like detector, last layer."""

    def __call__(
        self, model: nn.Module, batch: Any, copies: int = 1
    ) -> list[Tensor]:
        """Class logits of one image, see :class:`RoIPredictions`."""
        detector: Any = model
        data = detector.data_preprocessor(batch, False)
        image = data['inputs'].repeat(copies, 1, 1, 1)
        samples = list(data['data_samples']) * copies
        output = detector(image, samples, mode='tensor')
        logits = output[0][-1].flatten(0, 1)
        return [_class_rows(detector.bbox_head, logits)]


def predictor(detector: Any) -> Any:
    """How to get class logits of a detector.

    Args:
        detector (nn.Module): A float mmdet detector.

    Raises:
        SpecError: Neither two-stage nor DETR-like.
    """
    if hasattr(detector, 'class_rows'):  # a model that says so itself
        return lambda model, *image: model.class_rows(*image)
    if hasattr(detector, 'roi_head') and hasattr(detector, 'rpn_head'):
        for head in _stages(detector.roi_head.bbox_head):
            if len(inspect.signature(head.forward).parameters) != 1:
                raise SpecError(
                    f'{type(head).__name__}: allocation knows box heads that '
                    'take the features of RoIs and nothing else'
                )
        return RoIPredictions(detector)
    if hasattr(detector, 'query_embedding') or hasattr(detector, 'decoder'):
        return QueryPredictions()
    raise SpecError(
        f'{type(detector).__name__}: no class prediction per RoI or query is '
        'known; allocation is for two-stage and DETR-like detectors'
    )


def _stages(module: Any) -> Sequence[Any]:
    return list(module) if isinstance(module, nn.ModuleList) else [module]


def _class_rows(head: Any, logits: Tensor) -> Tensor:
    """Logits whose softmax are the head's probabilities."""
    if getattr(getattr(head, 'loss_cls', None), 'use_sigmoid', False):
        logits = logits.reshape(-1, 1)
        return F.pad(logits, (0, 1))  # sigmoid(x) is softmax(x, 0)
    return logits
