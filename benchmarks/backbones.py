"""One backbone in every form there is, ours and others'."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from igq_mmdet.allocation.noise import Noise

from .forms import FLOAT
from .rivals import onnx_rivals, openvino_rivals

COMPILED = ', torch.compile'


def first_line(error: BaseException) -> str:
    """What went wrong, in one line."""
    text = str(error).strip().splitlines()
    return f'{type(error).__name__}: {text[0] if text else "no message"}'


def compiled_backbone(model: Any) -> Callable[[Tensor], Any]:
    """A backbone that ``torch.compile`` compiles when it first runs.

    Args:
        model (nn.Module): A detector; its own backbone stays as it is.
    """
    found: Callable[[Tensor], Any] = torch.compile(
        model.backbone, dynamic=False
    )
    return found


def foreign(
    backbone: nn.Module,
    x: Tensor,
    threads: int,
    folder: str,
    clock: Callable[[], float],
    data: dict[str, Any],
) -> dict[str, Callable[[], Sequence[Tensor]]]:
    """What others make of the float backbone.

    Args:
        backbone (nn.Module): In float.
        x (Tensor): The image.
        threads (int): Of every runtime.
        folder (str): For exported files.
        clock (Callable): Of ``timing.CLOCKS``.
        data (dict): Takes ``left_out`` and ``prepared``.
    """
    runs: dict[str, Callable[[], Sequence[Tensor]]] = {}
    for name, make in (
        ('OpenVINO', lambda: openvino_rivals(backbone, x, threads)),
        ('ONNX Runtime', lambda: onnx_rivals(backbone, x, threads, folder)),
    ):
        start = clock()
        try:
            own, left_out = make()
            for run in own.values():
                run()
        except Exception as error:  # an export can fail in many ways
            own, left_out = {}, {name: first_line(error)}
        runs.update(own)
        data['left_out'].update(left_out)
        if own:
            data['prepared'][name] = clock() - start
    return runs


def agreement(
    runs: dict[str, Callable[[], Sequence[Tensor]]],
) -> dict[str, dict[str, Any]]:
    """How far every form's feature maps are from float.

    Args:
        runs (dict[str, Callable]): By name, with ``float`` among them.

    Returns:
        dict[str, dict]: ``largest_error`` relative to the largest value of
        the map, and ``sqnr`` in dB, null where nothing differs; both lists
        of one value a map.
    """
    reference = [t.clone() for t in runs[FLOAT]()]
    found = {}
    for name, run in runs.items():
        errors, ratios = [], []
        for expected, own in zip(reference, run(), strict=True):
            noise = Noise()
            noise.add(expected, own)
            ratios.append(noise.decibels)
            apart = (expected - own).abs().amax() / expected.abs().amax()
            errors.append(float(apart))
        found[name] = {'largest_error': errors, 'sqnr': ratios}
    return found
