"""The models that are compared: one detector in several forms."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.calibration import collect, fit, freeze
from igq_mmdet.engine.calibration_forward import calibration_forward
from igq_mmdet.engine.random_detector import random_batch, random_detector

CONFIG = 'mmdet::swin/mask-rcnn_swin-t-p4-w7_fpn_1x_coco.py'
# Random weights make no class likely; with larger logits some are, so that
# the mask head has its 100 instances to work on.
LOGIT_GAIN = 30.0
NAMES = ('float', 'simulated', 'integer')


@dataclass
class Variants:
    """One detector in several forms, and an image for all of them.

    Args:
        models (dict[str, nn.Module]): By name, of ``NAMES``.
        batch (dict): What ``test_step`` takes.
        seconds (dict[str, float]): Of collecting, fitting and freezing.
    """

    models: dict[str, nn.Module]
    batch: dict[str, Any]
    seconds: dict[str, float]


def float_detector() -> nn.Module:
    """Mask R-CNN with Swin-T, weights from seed 0."""
    detector = random_detector(CONFIG, {'backbone.init_cfg': None})
    detector.roi_head.bbox_head.fc_cls.weight.data.mul_(LOGIT_GAIN)
    return detector


def image(height: int, width: int) -> dict[str, Any]:
    """One image of noise.

    Args:
        height (int): In pixels.
        width (int): In pixels.
    """
    return random_batch(height, width, count=1)


def make_variants(
    spec: igq.QuantSpec,
    height: int,
    width: int,
    clock: Callable[[], float],
) -> Variants:
    """Builds and calibrates all forms.

    Args:
        spec (QuantSpec): Of the quantized forms.
        height (int): Of the image, in pixels.
        width (int): Of the image, in pixels.
        clock (Callable): Of ``timing.CLOCKS``.
    """
    detector, batch = float_detector(), image(height, width)
    seconds = {}

    def timed(name: str, step: Callable[[], Any]) -> Any:
        start = clock()
        result = step()
        seconds[name] = clock() - start
        return result

    qmodel = timed('quantize', lambda: igq.quantize(detector, spec))
    detector.test_step(batch)  # the first call of a process is slower
    statistics = timed(
        'collect', lambda: collect(qmodel, [batch], calibration_forward)
    )
    timed('fit', lambda: fit(qmodel, statistics))
    timed('freeze', lambda: freeze(qmodel))
    integer = timed('to_integer', lambda: igq.to_integer(qmodel))
    models = dict(zip(NAMES, (detector, qmodel, integer), strict=True))
    return Variants(models, batch, seconds)


def one_variant(name: str, checkpoint: str) -> nn.Module:
    """One form alone, for measuring memory.

    Args:
        name (str): Of ``NAMES``.
        checkpoint (str): From :func:`igq_mmdet.save`.
    """
    detector = float_detector()
    if name == 'float':
        return detector
    qmodel = igq.load(detector, checkpoint)
    return igq.to_integer(qmodel) if name == 'integer' else qmodel


def backbone_input(batch: dict[str, Any], detector: Any) -> torch.Tensor:
    """The image as the backbone sees it, (1, 3, H, W)."""
    data = detector.data_preprocessor(batch, False)
    inputs: torch.Tensor = data['inputs']
    return inputs
