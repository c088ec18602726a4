"""One float pass over the calibration images gathers every statistic."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import CalibrationError
from ..modes import in_ordinary_modes
from ..modules.base import QuantModule, Workload
from ..modules.swap import named_quantizers, quantized_layers
from ..modules.weight_module import QuantWeightModule
from ..observers import Observer
from .silence import message, reasons

Forward = Callable[[nn.Module, Any], Any]


@dataclass
class Statistics:
    """What was seen; independent of bits, and of groups but for ``kinds``.

    Args:
        observers (dict[str, dict[type, Observer]]): By quantizer name, then
            by class.
        workloads (dict[str, Workload]): By layer name, over all images.
        images (int): Number of images.
        silence (dict[str, str]): Why layers were not called, by name, as
            far as it is known. Defaults to {}.
    """

    observers: dict[str, dict[Any, Observer]]
    workloads: dict[str, Workload]
    images: int
    silence: dict[str, str] = field(default_factory=dict)

    def merge(self, other: 'Statistics') -> None:
        """Takes in what was seen on images that come after these.

        The result is that of one pass over all of them, to the last bit.

        Args:
            other (Statistics): Of the same quantizers.
        """
        for name, kinds in self.observers.items():
            for kind, observer in kinds.items():
                observer.merge(other.observers[name][kind])
        for name, work in self.workloads.items():
            work.merge(other.workloads[name])
        self.images += other.images
        self.silence |= other.silence

    def workload_per_image(self, name: str) -> Workload:
        """What a layer does for one image, on average.

        Args:
            name (str): Of the layer.
        """
        work = self.workloads[name]
        sizes = {key: size / self.images for key, size in work.sizes.items()}
        return Workload(work.calls, sizes)

    def require(self) -> None:
        """Refuses statistics that leave something without data.

        Raises:
            CalibrationError: No images, or a layer that saw nothing.
        """
        if not self.images:
            raise CalibrationError('the calibration set is empty')
        silent = [n for n, work in self.workloads.items() if not work.calls]
        if silent:
            raise CalibrationError(
                message(silent, self.silence, self.workloads)
            )


class _Several:
    """Feeds more than one observer."""

    def __init__(self, observers: Iterable[Observer]) -> None:
        self.observers = list(observers)

    def update(self, x: Tensor) -> None:
        for observer in self.observers:
            observer.update(x)


def call(model: nn.Module, batch: Any) -> Any:
    """Calls a model with a tensor, a sequence or a dict of arguments."""
    if isinstance(batch, Mapping):
        return model(**batch)
    if isinstance(batch, list | tuple):
        return model(*batch)
    return model(batch)


def collect(
    model: nn.Module,
    batches: Iterable[Any],
    forward: Forward = call,
    models: Iterable[nn.Module] = (),
) -> Statistics:
    """Runs a quantized model in float and gathers statistics.

    Args:
        model (nn.Module): From :func:`igq_mmdet.quantize`, not frozen.
        batches (Iterable): Whatever ``forward`` takes.
        forward (Callable): How to run ``model`` on one batch. Defaults to
            calling it.
        models (Iterable[nn.Module]): Other settings of the same float
            model whose needs are to be met by the same pass.

    Returns:
        Statistics: Of every quantizer.

    Raises:
        CalibrationError: No images, a layer without data, NaN or infinity,
            a frozen model.
    """
    statistics = collect_share(model, batches, forward, models)
    statistics.require()
    return statistics


@in_ordinary_modes
def collect_share(
    model: nn.Module,
    batches: Iterable[Any],
    forward: Forward = call,
    models: Iterable[nn.Module] = (),
) -> Statistics:
    """Like :func:`collect`, on a part of the images, perhaps none.

    Parts are put together by :meth:`Statistics.merge`, in order of images,
    and checked by :meth:`Statistics.require`.
    """
    layers = quantized_layers(model)
    kinds = _kinds([model, *models])
    observers = {
        name: {kind: kind(name) for kind in needed}
        for name, needed in kinds.items()
    }
    images = 0
    with _observing(model, layers, observers), torch.no_grad():
        for batch in batches:
            forward(model, batch)
            images += images_in(batch)
        workloads = {
            name: copy.deepcopy(layer.workload)
            for name, layer in layers.items()
        }
        silence = reasons(model, layers)
    return Statistics(observers, workloads, images, silence)


def images_in(batch: Any) -> int:
    """How many images a batch holds."""
    if isinstance(batch, Tensor):
        return batch.shape[0]
    if isinstance(batch, Mapping):
        inputs = batch.get('inputs')
        if isinstance(inputs, list | tuple):
            return len(inputs)
        batch = tuple(batch.values())
    if isinstance(batch, list | tuple):
        for item in batch:
            if isinstance(item, Tensor | Mapping):
                return images_in(item)
    return 1


def _kinds(models: Iterable[nn.Module]) -> dict[str, dict[Any, None]]:
    needed: dict[str, dict[Any, None]] = {}
    for model in models:
        for name, layer in quantized_layers(model).items():
            for full, quantizer in named_quantizers(name, layer).items():
                needed.setdefault(full, {})[quantizer.observes] = None
    return needed


@contextmanager
def _observing(
    model: nn.Module,
    layers: dict[str, QuantModule],
    observers: dict[str, dict[Any, Observer]],
) -> Iterator[None]:
    for name, layer in layers.items():
        if any(q.ready for q in layer.quantizers().values()):
            raise CalibrationError(
                f'{name} is calibrated already; quantize the float model again'
            )
    training = model.training
    model.eval()
    try:
        for name, layer in layers.items():
            layer.observing, layer.workload = True, Workload()
            if isinstance(layer, QuantWeightModule):
                layer.weight_reader = ''
            for full, quantizer in named_quantizers(name, layer).items():
                quantizer.observer = _Several(observers[full].values())
        yield
    finally:
        model.train(training)
        for layer in layers.values():
            layer.observing = False
            for quantizer in layer.quantizers().values():
                quantizer.observer = None
