"""Quantized models as ONNX files."""

import os
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CalibrationError, ExportError, SpecError, one_line
from ..files.atomic import replacing
from ..modes import in_ordinary_modes
from ..modules.swap import quantized_layers
from ..modules.weight_module import QuantWeightModule

OPSETS = range(18, 21)  # what the exporter of torch can write
# what models raise for tensors of other shapes and kinds
MISFITS = (
    AssertionError,
    AttributeError,
    IndexError,
    RuntimeError,
    TypeError,
    ValueError,
)


@in_ordinary_modes
def export(
    model: nn.Module,
    example: Any,
    path: str | os.PathLike[str],
    opset: int = OPSETS[0],
) -> None:
    """Writes a quantized model as a graph of standard ONNX operators.

    Inputs and outputs have any number of images; their other sizes are those
    of the example. Weights are bytes. Inputs of fully connected layers with
    a common step (``igq_integral``, ``layerwise``, ``repq``) and of
    convolutions are bytes too, multiplied by ``MatMulInteger`` and
    ``ConvInteger``; other products are of floats that hold the same
    values. Codes are those of the model but for values on rounding edges.

    Args:
        model (nn.Module): Quantized and calibrated. What runs on integers
            is written as if it were simulated.
        example (Tensor | tuple): What ``model(...)`` takes, tensors.
        path (str | PathLike): The file, which appears whole or not at all.
        opset (int): Version of the operators, 18 to 20. Defaults to 18.

    Raises:
        SpecError: The model is not quantized, or does not take the example.
        CalibrationError: A layer is not calibrated.
        ExportError: An operator has no ONNX form, or the file cannot be
            written.
    """
    args = example if isinstance(example, tuple) else (example,)
    _check(model, opset)
    target = Path(path)
    if not target.parent.is_dir():
        raise ExportError(f'{target}: its folder does not exist')
    training = model.training
    model.eval()
    try:
        count = len(_outputs(model, args))
        with replacing(target) as file:
            _write(model, args, count, file, opset)
    except OSError as error:
        raise ExportError(
            f'{target} cannot be written: {error.strerror or error}'
        ) from error
    finally:
        model.train(training)


def _check(model: nn.Module, opset: int) -> None:
    if getattr(model, 'igq_spec', None) is None:
        raise SpecError('not a quantized model; call igq.quantize first')
    if opset not in OPSETS:
        raise SpecError(
            f'opset must be {OPSETS[0]} to {OPSETS[-1]}, got {opset!r}'
        )
    for name, layer in quantized_layers(model).items():
        ready = all(q.ready for q in layer.quantizers().values())
        if isinstance(layer, QuantWeightModule):
            ready = ready and layer.frozen
        if not ready:
            raise CalibrationError(
                f'{name} is not calibrated; call igq.calibrate before '
                'igq.export'
            )


@torch.no_grad()
def _outputs(model: nn.Module, args: tuple[Any, ...]) -> list[Tensor]:
    """What the model gives for the example, which also keeps its layouts."""
    try:
        found = model(*args)
    except MISFITS as error:
        raise SpecError(
            f'the model does not take the example: {one_line(error)}'
        ) from error
    outputs = list(found) if isinstance(found, tuple | list) else [found]
    if not outputs or not all(isinstance(x, Tensor) for x in outputs):
        raise SpecError(
            'only models whose output is a tensor, or a tuple or list of '
            f'tensors, can be exported, not {type(found).__name__}; export '
            'a part of this one, such as its backbone and neck'
        )
    return outputs


@torch.no_grad()
def _write(
    model: nn.Module,
    args: tuple[Any, ...],
    count: int,
    file: Path,
    opset: int,
) -> None:
    # prints the whole graph at an error, whatever is set
    log, torch._C._jit_onnx_log = torch._C._jit_onnx_log, lambda *args: None
    inputs = [f'input_{i}' for i in range(len(args))]
    outputs = [f'output_{i}' for i in range(count)]
    try:
        with warnings.catch_warnings():
            # each size that becomes a constant of the graph is a warning
            warnings.simplefilter('ignore')
            torch.onnx.export(
                model,
                args,
                str(file),
                dynamo=False,
                opset_version=opset,
                input_names=inputs,
                output_names=outputs,
                dynamic_axes={x: {0: 'images'} for x in inputs + outputs},
                # bytes would become floats
                do_constant_folding=False,
            )
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise ExportError(
            f'ONNX has no form of this model: {one_line(error)}'
        ) from error
    finally:
        torch._C._jit_onnx_log = log
