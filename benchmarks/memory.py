"""Peak memory of one thing, in a process of its own."""

import ctypes
import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from torch import nn


def of_form(
    config: str, name: str, file: str, size: list[int]
) -> dict[str, int]:
    """Bytes before and at the peak of one ``test_step``.

    Args:
        config (str): Of the detector.
        name (str): Of ``forms.FORMS``.
        file (str): Checkpoint of the quantized forms.
        size (list[int]): Height and width of the image, in pixels.
    """
    from .forms import image, one_form

    model, batch = one_form(config, name, file), image(*size)
    return _peak(lambda: model.test_step(batch))


def of_calibration(
    config: str,
    method: str,
    bits: int,
    groups: int,
    images: int,
    size: list[int],
) -> dict[str, int]:
    """Bytes before and at the peak of a calibration, and of statistics.

    Args:
        config (str): Of the detector.
        method (str): Of the spec.
        bits (int): Of weights and activations.
        groups (int): Of the spec.
        images (int): How many there are; each is made when it is its turn.
        size (list[int]): Height and width of the images, in pixels.
    """
    import igq_mmdet as igq
    from igq_mmdet.detection.calibration.calibration_forward import (
        calibration_forward,
    )

    from .forms import float_detector, image

    spec = igq.QuantSpec(bits, bits, groups, method)
    qmodel = igq.quantize(float_detector(config), spec)
    kept: list[Any] = []

    def run() -> None:
        batches = (image(*size, seed=seed) for seed in range(images))
        kept.append(igq.calibrate(qmodel, batches, calibration_forward))

    found = _peak(run)
    return {**found, 'statistics': tensor_bytes(kept[0].observers)}


def tensor_bytes(value: Any) -> int:
    """Bytes of all tensors in containers and attributes.

    Args:
        value (Any): A tensor, a container, or an object with attributes.
    """
    import torch

    if torch.is_tensor(value):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(tensor_bytes, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(tensor_bytes, value))
    if hasattr(value, '__dict__') and not isinstance(value, nn.Module):
        return tensor_bytes(vars(value))
    return 0


def peak_memory(what: str, threads: int, **arguments: Any) -> dict[str, int]:
    """Calls a function of this file in a fresh process.

    Args:
        what (str): ``of_form`` or ``of_calibration``.
        threads (int): Of torch.
        **arguments: Of that function.

    Returns:
        dict[str, int]: What it returned.
    """
    task = json.dumps({'what': what, 'threads': threads, **arguments})
    done = subprocess.run(
        [sys.executable, '-m', 'benchmarks.memory', task],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=Path(__file__).resolve().parents[1],
    )
    found: dict[str, int] = json.loads(done.stdout.splitlines()[-1])
    return found


def _peak(step: Any) -> dict[str, int]:
    import torch

    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    before = _status('VmRSS')
    Path('/proc/self/clear_refs').write_text('5')  # forget the peak so far
    with torch.no_grad():
        step()
    return {'before': before, 'peak': _status('VmHWM')}


def _status(field: str) -> int:
    """A field of /proc/self/status, in bytes."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith(field + ':'):
            return int(line.split()[1]) * 1024
    raise KeyError(field)


def main(task: dict[str, Any]) -> None:
    """Prints what is asked for as JSON."""
    import warnings

    import torch

    warnings.simplefilter('ignore')
    torch.set_num_threads(task.pop('threads'))
    function = {'of_form': of_form, 'of_calibration': of_calibration}
    print(json.dumps(function[task.pop('what')](**task)))


if __name__ == '__main__':
    main(json.loads(sys.argv[1]))
