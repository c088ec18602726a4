"""The models that are compared: one detector in several forms."""

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

import igq_mmdet as igq
from igq_mmdet.calibration import collect, fit, freeze
from igq_mmdet.detection.calibration.calibration_forward import (
    calibration_forward,
)
from igq_mmdet.detection.models.random_detector import (
    random_batch,
    random_detector,
)

# Random weights make no class likely; with larger logits some are, so that
# the mask head has its 100 instances to work on.
LOGIT_GAIN = 30.0
FLOAT = 'float'
METHODS = ('igq', 'igq_integral')
RUNTIMES = ('simulated', 'integer')
# Those whose shapes are the same in every run.
COMPILED_PARTS = ('backbone', 'neck', 'rpn_head')


def form_name(method: str, runtime: str) -> str:
    """How a quantized form is called in tables, ``igq simulated``."""
    return f'{method} {runtime}'


QUANTIZED = tuple(form_name(m, r) for m in METHODS for r in RUNTIMES)
FORMS = (FLOAT, *QUANTIZED)


def float_detector(config: str) -> Any:
    """A Mask R-CNN with a Swin backbone, weights from seed 0.

    Args:
        config (str): Of mmdet.
    """
    detector: Any = random_detector(config, {'backbone.init_cfg': None})
    detector.roi_head.bbox_head.fc_cls.weight.data.mul_(LOGIT_GAIN)
    return detector


def image(height: int, width: int, seed: int = 0) -> dict[str, Any]:
    """One image of noise, as ``test_step`` takes it.

    Args:
        height (int): In pixels.
        width (int): In pixels.
        seed (int): Of the noise. Defaults to 0.
    """
    return random_batch(height, width, count=1, seed=seed)


def backbone_input(batch: dict[str, Any], detector: Any) -> torch.Tensor:
    """The image as the backbone sees it, (1, 3, H, W)."""
    data = detector.data_preprocessor(copy.deepcopy(batch), False)
    inputs: torch.Tensor = data['inputs']
    return inputs


def calibrated(
    detector: nn.Module,
    spec: igq.QuantSpec,
    batch: dict[str, Any],
    clock: Callable[[], float],
    seconds: dict[str, list[float]],
) -> Any:
    """A frozen simulated copy of the detector.

    Args:
        detector (nn.Module): In float.
        spec (QuantSpec): How it is quantized.
        batch (dict): The calibration image.
        clock (Callable): Of ``timing.CLOCKS``.
        seconds (dict): Of every stage, by name; is added to.
    """

    def timed(name: str, step: Callable[[], Any]) -> Any:
        start = clock()
        result = step()
        seconds.setdefault(name, []).append(clock() - start)
        return result

    qmodel = timed('copy', lambda: igq.quantize(detector, spec))
    statistics = timed(
        'collect', lambda: collect(qmodel, [batch], calibration_forward)
    )
    timed('fit', lambda: fit(qmodel, statistics))
    timed('freeze', lambda: freeze(qmodel))
    return qmodel


def one_form(config: str, name: str, checkpoint: str) -> Any:
    """One form alone, for measuring its memory.

    Args:
        config (str): See :func:`float_detector`.
        name (str): Of ``FORMS``.
        checkpoint (str): From :func:`igq_mmdet.save`.
    """
    detector = float_detector(config)
    if name == FLOAT:
        return detector
    qmodel = igq.load(detector, checkpoint)
    if name.endswith(RUNTIMES[1]):
        return igq.to_integer(qmodel)
    return qmodel


def compiled(model: Any) -> Any:
    """A copy whose parts are compiled when they first run.

    The code between the parts makes data samples and detections, which
    ``torch.compile`` cannot take in one graph.

    Args:
        model (nn.Module): Any form.
    """
    own = copy.deepcopy(model)
    for part in COMPILED_PARTS:
        own.get_submodule(part).compile(dynamic=False)
    return own
