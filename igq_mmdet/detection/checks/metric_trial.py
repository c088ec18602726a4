"""Each metric gets one made-up prediction before an image is predicted.

A metric that wants annotations which the pipeline does not load says so, if
at all, after calibration and the first image.
"""

from typing import Any

import torch
from mmdet.evaluation import (
    CityScapesMetric,
    CocoMetric,
    CocoPanopticMetric,
    CrowdHumanMetric,
    OpenImagesMetric,
    VOCMetric,
)
from mmdet.structures.bbox import BaseBoxes
from mmengine.structures import InstanceData, PixelData

from ...errors import DataError, IGQError, one_line

# what these need of a prediction is made up here; of others nothing is known
KNOWN = (
    *(CityScapesMetric, CocoMetric, CocoPanopticMetric, CrowdHumanMetric),
    *(OpenImagesMetric, VOCMetric),
)
PIXEL = 1.0  # as far as annotated boxes may be from those listed


def try_metrics(loop: Any, loader: str = 'test_dataloader') -> None:
    """Lets the metrics of a loop look at its first annotated image.

    Args:
        loop (TestLoop): With a dataset and metrics, which are left as they
            were.
        loader (str): What the config calls its loader. Defaults to
            ``test_dataloader``.

    Raises:
        DataError: A metric cannot judge what the dataset gives, or would
            judge by boxes that the pipeline has moved.
    """
    dataset = loop.dataloader.dataset
    judge = loader.replace('dataloader', 'evaluator')
    tried = [x for x in loop.evaluator.metrics if _may_fail(x)]
    if not tried or not len(dataset):
        return
    listed: list[Any] = []
    index = 0
    for place in range(len(dataset)):
        listed = dataset.get_data_info(place).get('instances') or []
        if listed:
            index = place
            break
    try:
        sample = dataset[index]['data_samples']
    except IGQError:  # of an image; the evaluation is going to say so
        return
    if isinstance(sample, list):  # test-time augmentation
        sample = sample[0]
    for metric in tried:
        name = type(metric).__name__
        if isinstance(metric, VOCMetric):
            _check_boxes(name, sample, listed, loader)
        before = list(metric.results)
        try:
            metric.process({}, [_predicted(sample).to_dict()])
        except Exception as error:  # a metric is any code
            reason = f'{type(error).__name__}: {one_line(error, 200)}'
            raise DataError(
                f'{judge}: {name} cannot judge what {loader} gives '
                f'({reason}); add LoadAnnotations after Resize to its '
                'pipeline and what the metric wants to the meta_keys of '
                'PackDetInputs, or give the metric its files'
            ) from error
        finally:
            metric.results[:] = before


def _may_fail(metric: Any) -> bool:
    if isinstance(metric, CocoMetric) and getattr(metric, '_coco_api', None):
        return False  # wants nothing of the pipeline
    return isinstance(metric, KNOWN)


def _check_boxes(
    name: str, sample: Any, listed: list[Any], loader: str
) -> None:
    """Predictions come in the original image; so must annotations."""
    truth = getattr(sample, 'gt_instances', None)
    boxes = getattr(truth, 'bboxes', None)
    kept = [x['bbox'] for x in listed if not x.get('ignore_flag')]
    if boxes is None or not kept:
        return
    found = getattr(boxes, 'tensor', boxes)
    expected = torch.as_tensor(kept, dtype=found.dtype)
    if found.shape != expected.shape or (found - expected).abs().max() > PIXEL:
        raise DataError(
            f'{loader}: its pipeline moves the annotated boxes by which '
            f'{name} judges (the first is {_box(found[:1])} instead of '
            f'{_box(expected[:1])}); put LoadAnnotations after Resize and '
            'other transforms'
        )


def _box(boxes: torch.Tensor) -> str:
    return str([round(x, 1) for x in boxes.flatten().tolist()])


def _predicted(sample: Any) -> Any:
    """A data sample with one instance and a map, all of label 0."""
    sample = sample.clone()
    height, width = sample.metainfo.get('ori_shape', (1, 1))[:2]
    found = InstanceData()
    found.bboxes = torch.tensor([[0.0, 0.0, width, height]])
    found.scores = torch.ones(1)
    found.labels = torch.zeros(1, dtype=torch.long)
    found.masks = torch.ones(1, height, width, dtype=torch.bool)
    sample.pred_instances = found
    empty = torch.zeros(1, height, width, dtype=torch.long)
    sample.pred_panoptic_seg = PixelData(sem_seg=empty)
    for name in ('gt_instances', 'ignored_instances'):
        # the detector's preprocessor does so
        truth = sample.get(name)
        boxes = getattr(truth, 'bboxes', None)
        if truth is not None and isinstance(boxes, BaseBoxes):
            truth.bboxes = boxes.tensor
    return sample
