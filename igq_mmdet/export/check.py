"""What an exported file computes beside the model it was made of."""

import importlib.util
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import ExportError, MissingDependencyError, one_line

Run = Callable[[Tensor], list[Tensor]]
APART = 1e-3  # of the largest value: what a code beside its edge makes


@dataclass(frozen=True)
class Difference:
    """Of one runtime, over all inputs and outputs.

    Args:
        runtime (str): Its name.
        largest (float): The largest difference, of the largest value;
            infinite where NaN came out.
        share (float): Of values that differ by more than ``APART`` of it.
    """

    runtime: str
    largest: float
    share: float


def check(
    model: nn.Module, path: str | os.PathLike[str], inputs: list[Tensor]
) -> Iterator[Difference]:
    """Runs a file in every runtime that is installed.

    Args:
        model (nn.Module): That it was made of, with one input.
        path (str | PathLike): The file.
        inputs (list[Tensor]): What the model takes, one after another.

    Yields:
        Difference: Of ONNX Runtime and of OpenVINO.

    Raises:
        MissingDependencyError: Neither is installed.
        ExportError: One does not take the file, or gives other shapes.
    """
    found = {
        name: load
        for name, (package, load) in RUNTIMES.items()
        if importlib.util.find_spec(package) is not None
    }
    if not found:
        raise MissingDependencyError(
            'checking an exported file needs a runtime: pip install '
            'onnxruntime, or openvino'
        )
    with torch.no_grad():
        wanted = [_each(model(x)) for x in inputs]
    for name, load in found.items():
        try:
            run = load(str(path))
            outputs = [run(x) for x in inputs]
        except Exception as error:  # each has exceptions of its own
            raise ExportError(f'{name}: {one_line(error)}') from error
        yield _difference(name, outputs, wanted)


def _difference(
    name: str, found: list[list[Tensor]], wanted: list[list[Tensor]]
) -> Difference:
    largest, apart, count = 0.0, 0, 0
    for one, other in zip(found, wanted, strict=True):
        for a, b in zip(one, other, strict=True):
            if a.shape != b.shape:
                raise ExportError(
                    f'{name}: gives {tuple(a.shape)}, the model '
                    f'{tuple(b.shape)}'
                )
            if not b.numel():
                continue
            # of zeros alone, the difference itself
            most = float(b.abs().max()) or 1.0
            off = ((a - b).abs() / most).nan_to_num(nan=math.inf)
            largest = max(largest, float(off.max()))
            apart += int((off > APART).sum())
            count += off.numel()
    return Difference(name, largest, apart / max(count, 1))


def _each(out: Any) -> list[Tensor]:
    return [out] if isinstance(out, Tensor) else list(out)


def _onnx_runtime(path: str) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        path, options, providers=['CPUExecutionProvider']
    )
    (name,) = (x.name for x in session.get_inputs())

    def run(x: Tensor) -> list[Tensor]:
        found = session.run(None, {name: x.numpy()})
        return [torch.from_numpy(y) for y in found]

    return run


def _openvino(path: str) -> Run:
    import openvino

    compiled = openvino.Core().compile_model(
        path,
        'CPU',
        {
            # it would round to bfloat16 where the processor can
            'INFERENCE_PRECISION_HINT': 'f32',
            'INFERENCE_NUM_THREADS': torch.get_num_threads(),
        },
    )

    def run(x: Tensor) -> list[Tensor]:
        found = compiled([x.numpy()])
        return [torch.tensor(y) for y in found.values()]

    return run


# name -> package and what loads a file
RUNTIMES: dict[str, tuple[str, Callable[[str], Run]]] = {
    'ONNX Runtime': ('onnxruntime', _onnx_runtime),
    'OpenVINO': ('openvino', _openvino),
}
