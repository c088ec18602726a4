"""What it costs to quantize one thing and leave everything else in float."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ..calibration.calibrate import quantize
from ..calibration.collect import Forward, Statistics, call, collect
from ..calibration.fit import fit
from ..files.results_file import ResultsFile, digest
from ..modules.base import QuantModule, Workload
from ..modules.layers.linear import QuantLinear
from ..modules.swap import quantized_layers
from ..modules.table import ATTENTION
from ..modules.weight_module import QuantWeightModule
from ..quantizers import ActivationQuantizer
from ..spec import QuantSpec
from .divergence import Predict, divergence
from .noise import Noise, NoiseObserver
from .perturbation import disable
from .replay import Replay

FC_INPUT, SOFTMAX, CONV_INPUT = 'fc_input', 'softmax', 'conv_input'
OPERANDS, WEIGHTS = 'operands', 'weights'
# ``operands`` are Q, K and V together
KINDS = (FC_INPUT, SOFTMAX, CONV_INPUT, OPERANDS, WEIGHTS)


@dataclass(frozen=True)
class Item:
    """One thing that can be quantized on its own.

    Args:
        layer (str): Name of the layer.
        part (str): Part of the model.
        kind (str): One of ``KINDS``.
        bits (int): Width of its codes.
    """

    layer: str
    part: str
    kind: str
    bits: int


@dataclass(frozen=True)
class Sensitivity:
    """What one thing costs when only it is quantized.

    Args:
        item (Item): What is quantized.
        sqnr (float | None): Signal to quantization noise of the tensor
            itself, in dB; None where there is no noise.
        kl (float | None): Divergence of the class predictions, mean over
            images; None where they cannot show it.
    """

    item: Item
    sqnr: float | None
    kl: float | None

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, flat."""
        return {**asdict(self.item), 'sqnr': self.sqnr, 'kl': self.kl}


def fitted(
    model: nn.Module, spec: QuantSpec, statistics: Statistics
) -> nn.Module:
    """A copy with every quantizer fitted and none at work.

    Args:
        model (nn.Module): The float model.
        spec (QuantSpec): What to quantize and how.
        statistics (Statistics): Of the calibration images.
    """
    qmodel = quantize(model, spec)
    fit(qmodel, statistics)
    disable(qmodel)
    return qmodel.eval()


def items(model: nn.Module) -> list[Item]:
    """Everything that can be quantized on its own, in model order.

    Args:
        model (nn.Module): From :func:`fitted`.
    """
    found = []
    for name, layer in quantized_layers(model).items():
        config = layer.config
        kinds = dict.fromkeys(_kind(layer, key) for key in layer.quantizers())
        for kind in kinds:
            found.append(Item(name, config.part, kind, config.a_bits))
        if isinstance(layer, QuantWeightModule):
            found.append(Item(name, config.part, WEIGHTS, config.w_bits))
    return found


@contextmanager
def only(model: nn.Module, chosen: Iterable[Item]) -> Iterator[None]:
    """Within this context only these things are quantized.

    Args:
        model (nn.Module): From :func:`fitted`.
        chosen (Iterable[Item]): What to quantize.
    """
    layers = quantized_layers(model)
    with ExitStack() as stack:
        for item in chosen:
            layer = layers[item.layer]
            if item.kind == WEIGHTS:
                assert isinstance(layer, QuantWeightModule)
                stack.callback(setattr, layer, 'weight', layer.weight)
                codes = nn.Parameter(_rounded(layer), requires_grad=False)
                layer.weight = codes
                continue
            for quantizer in _quantizers(layer, item.kind):
                quantizer.ready = True
                stack.callback(setattr, quantizer, 'ready', False)
        yield


def sensitivity(
    model: nn.Module,
    spec: QuantSpec,
    batches: Iterable[Any],
    forward: Forward = call,
    predict: Predict | None = None,
    folder: str | None = None,
    statistics: Statistics | None = None,
    progress: Callable[..., Any] = iter,
) -> list[Sensitivity]:
    """Measures every item on its own.

    Args:
        model (nn.Module): A float model.
        spec (QuantSpec): What to quantize and how.
        batches (Iterable): Calibration images, one a batch.
        forward (Callable): How to run the whole model. Defaults to calling
            it.
        predict (Callable, optional): ``(model, batch, copies)`` to class
            logits. Defaults to None: no KL.
        folder (str, optional): Where finished measurements are kept, so
            that an interrupted run goes on. Defaults to None.
        statistics (Statistics, optional): Collected already. Defaults to
            None.
        progress (Callable): Wraps the list of measurements, such as
            ``tqdm``.

    Returns:
        list[Sensitivity]: One an item, in model order.
    """
    batches = list(batches)
    if statistics is None:
        statistics = collect(quantize(model, spec), batches, forward)
    qmodel = fitted(model, spec, statistics)
    todo = items(qmodel)
    sqnr = noise_of(qmodel, batches, forward)
    kl: dict[Item, float | None] = dict.fromkeys(todo)
    if predict is not None:
        kl = _divergences(qmodel, batches, predict, folder, progress)
    return [Sensitivity(item, sqnr[item].decibels, kl[item]) for item in todo]


@torch.no_grad()
def noise_of(
    model: nn.Module, batches: Iterable[Any], forward: Forward = call
) -> dict[Item, Noise]:
    """Signal and noise of every item, from one float pass.

    Args:
        model (nn.Module): From :func:`fitted`.
        batches (Iterable): Whatever ``forward`` takes.
        forward (Callable): How to run the model. Defaults to calling it.
    """
    layers = quantized_layers(model)
    found = {item: Noise() for item in items(model)}
    with ExitStack() as stack:
        for layer in layers.values():
            stack.callback(setattr, layer, 'workload', layer.workload)
            stack.callback(setattr, layer, 'observing', False)
            layer.workload, layer.observing = Workload(), True
        for item, noise in found.items():
            layer = layers[item.layer]
            if item.kind == WEIGHTS:
                assert isinstance(layer, QuantWeightModule)
                noise.add(layer.weight, _rounded(layer))
                continue
            for quantizer in _quantizers(layer, item.kind):
                quantizer.observer = NoiseObserver(quantizer, noise)
                stack.callback(setattr, quantizer, 'observer', None)
        for batch in batches:
            forward(model, batch)
    return found


@torch.no_grad()
def _divergences(
    model: nn.Module,
    batches: Sequence[Any],
    predict: Predict,
    folder: str | None,
    progress: Callable[..., Any],
) -> dict[Item, float | None]:
    todo = items(model)
    names = list(dict.fromkeys(item.layer for item in todo))
    references = [predict(model, batch, 1) for batch in batches]
    results = ResultsFile(folder, 'sensitivity', _key(model, references))
    replay, recorded = Replay(model, names), -1
    jobs = [(image, item) for image in range(len(batches)) for item in todo]
    for image, item in progress(jobs):
        key = f'{image} {item.layer} {item.kind}'
        if key in results:
            continue
        batch, truth = batches[image], references[image]
        if recorded != image:
            replay.record(partial(_once, predict, model, batch))
            recorded = image
        value = 0.0
        if replay.reaches(item.layer):
            with only(model, [item]), replay.start_at(item.layer):
                value = divergence(truth, predict(model, batch, 1))[0]
        results.add(key, value)
    means: dict[Item, float | None] = {}
    for item in todo:
        values = [
            results[f'{image} {item.layer} {item.kind}']
            for image in range(len(batches))
        ]
        # not one bit of a prediction changed: they do not depend on it
        seen = any(value != 0 for value in values)
        means[item] = sum(values) / len(values) if seen else None
    return means


def _once(predict: Predict, model: nn.Module, batch: Any, copies: int) -> Any:
    return predict(model, batch, copies)


def _key(model: Any, references: Sequence[Sequence[Tensor]]) -> str:
    tensors = dict(model.named_parameters())
    tensors.update(model.named_buffers())
    for image, stages in enumerate(references):
        for stage, logits in enumerate(stages):
            tensors[f'float logits {image} {stage}'] = logits
    return digest(tensors, [model.igq_spec.to_dict()])


def _kind(layer: QuantModule, key: str) -> str:
    if isinstance(layer, ATTENTION):
        return SOFTMAX if key == 'softmax_quantizer' else OPERANDS
    return FC_INPUT if isinstance(layer, QuantLinear) else CONV_INPUT


def _quantizers(layer: QuantModule, kind: str) -> list[ActivationQuantizer]:
    return [
        quantizer
        for key, quantizer in layer.quantizers().items()
        if _kind(layer, key) == kind
    ]


def _rounded(layer: QuantWeightModule) -> Tensor:
    """The weight as its codes give it back."""
    return layer.values_of(*layer.rounded())
