"""The same backbone in what a user would otherwise deploy.

OpenVINO in float and in 8 bits (NNCF's post-training quantization for
transformers), ONNX Runtime in float and with dynamic 8-bit products. They
are optional: ``make bench`` installs ``requirements/bench-lock.txt``.
"""

import importlib.util
import os
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

Run = Callable[[], list[Tensor]]
PACKAGES = ('openvino', 'nncf', 'onnx', 'onnxruntime')
OPENVINO_8BIT = 'OpenVINO 8-bit (NNCF)'
ONNX_8BIT = 'ONNX Runtime int8 (dynamic)'


def versions() -> dict[str, str]:
    """Of the packages that are installed."""
    return {
        name: metadata.version(name)
        for name in PACKAGES
        if importlib.util.find_spec(name) is not None
    }


def missing(*packages: str) -> str | None:
    """Says which of some packages are not installed, or None."""
    absent = [p for p in packages if importlib.util.find_spec(p) is None]
    if not absent:
        return None
    verb = 'are' if len(absent) > 1 else 'is'
    return f'{" and ".join(absent)} {verb} not installed (make bench)'


def openvino_rivals(
    backbone: nn.Module, x: Tensor, threads: int
) -> tuple[dict[str, Run], dict[str, str]]:
    """OpenVINO in float32, in its default precision, and in 8 bits.

    Args:
        backbone (nn.Module): In float.
        x (Tensor): The image; also what NNCF calibrates on.
        threads (int): Of the runtime.

    Returns:
        tuple[dict[str, Callable], dict[str, str]]: What runs, by name, and
        why the others do not.
    """
    reason = missing('openvino')
    if reason is not None:
        return {}, {'OpenVINO float32': reason, OPENVINO_8BIT: reason}
    # neither package is to report this run to its makers
    os.environ.update(CI='true', NNCF_CI='1')
    import openvino

    core = openvino.Core()
    options: dict[str, Any] = {
        'INFERENCE_NUM_THREADS': threads,
        'PERFORMANCE_HINT': 'LATENCY',
    }
    array = x.numpy()

    def runner(model: Any, **more: str) -> tuple[Run, str]:
        compiled = core.compile_model(model, 'CPU', {**options, **more})
        count = len(model.outputs)

        def run() -> list[Tensor]:
            found = compiled([array])
            return [torch.from_numpy(found[i]) for i in range(count)]

        chosen = compiled.get_property('INFERENCE_PRECISION_HINT')
        return run, chosen.to_string()

    model = openvino.convert_model(
        backbone, example_input=x, input=[tuple(x.shape)]
    )
    runs, left_out = {}, {}
    runs['OpenVINO float32'], _ = runner(model, INFERENCE_PRECISION_HINT='f32')
    run, chosen = runner(model)
    if chosen != 'f32':  # on processors with bfloat16 units
        runs[f'OpenVINO {chosen}, its default here'] = run
    reason = missing('nncf')
    if reason is not None:
        return runs, {OPENVINO_8BIT: reason}
    import nncf

    quantized = nncf.quantize(
        model,
        nncf.Dataset([array]),
        subset_size=1,
        model_type=nncf.ModelType.TRANSFORMER,
    )
    runs[OPENVINO_8BIT], _ = runner(quantized)
    return runs, left_out


def onnx_rivals(
    backbone: nn.Module, x: Tensor, threads: int, folder: str
) -> tuple[dict[str, Run], dict[str, str]]:
    """ONNX Runtime in float32 and with dynamic 8-bit products.

    Args:
        backbone (nn.Module): In float.
        x (Tensor): The image.
        threads (int): Of the runtime.
        folder (str): For the exported files.

    Returns:
        tuple[dict[str, Callable], dict[str, str]]: As for
        :func:`openvino_rivals`.
    """
    plain = 'ONNX Runtime float32'
    reason = missing('onnx', 'onnxruntime')
    if reason is not None:
        return {}, {plain: reason, ONNX_8BIT: reason}
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from onnxruntime.quantization.shape_inference import quant_pre_process

    paths = {
        plain: str(Path(folder, 'float.onnx')),
        ONNX_8BIT: str(Path(folder, 'int8.onnx')),
    }
    # torch's newer exporter would need onnxscript as well
    torch.onnx.export(
        backbone, (x,), paths[plain], dynamo=False, input_names=['image']
    )
    # as its manual advises before quantization
    quant_pre_process(paths[plain], paths[plain], skip_symbolic_shape=True)
    quantize_dynamic(
        paths[plain], paths[ONNX_8BIT], weight_type=QuantType.QInt8
    )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    runs: dict[str, Run] = {}
    for name, path in paths.items():
        session = onnxruntime.InferenceSession(
            path, options, providers=['CPUExecutionProvider']
        )

        def run(session: Any = session) -> list[Tensor]:
            found = session.run(None, {'image': x.numpy()})
            return [torch.from_numpy(array) for array in found]

        runs[name] = run
    return runs, {}
