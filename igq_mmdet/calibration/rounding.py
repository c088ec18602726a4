"""Rounds weights by what they do to outputs, in the order of the forward.

GPTQ and its kin need to know what each layer gets to see in a model whose
earlier layers are quantized, weights and all (method, section 9). Images are
run anew for every wave of layers, as far as that wave, so that nothing but
sums is ever held of more than one image.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..methods import ROUNDINGS
from ..modes import in_ordinary_modes
from ..modules.swap import quantized_layers
from ..modules.weight_module import QuantWeightModule
from .collect import Forward, call
from .moments import Moments


@dataclass(frozen=True)
class Wave:
    """Layers whose inputs are collected together.

    Args:
        layers (tuple[str, ...]): Their names.
        stop (tuple[str, int], optional): The call of a layer, by name and
            number, before which all of them are done; None where the model
            runs to its end.
        calls (int): How many calls of layers that takes.
    """

    layers: tuple[str, ...]
    stop: tuple[str, int] | None
    calls: int


PARTS = ('codes', 'scale', 'zero_point')  # of :func:`round_layer`


class _Done(Exception):
    """All layers of a wave have been called."""


class Kept(Protocol):
    """Where finished waves are kept, so that an interrupted pass goes on."""

    def get(self, name: str) -> dict[str, Tensor] | None:
        """What was put there under a name, if anything was."""

    def put(self, name: str, tensors: dict[str, Tensor]) -> None:
        """Keeps tensors."""


@dataclass(frozen=True)
class Team:
    """Processes that look at a share of the images each.

    Args:
        every (Callable): Runs work on every rank and gives rank 0 what came
            out, in order of rank; the others get an empty list.
        main (Callable): Runs work on rank 0 and gives all what came out.
        rank (int): Of this process. Defaults to 0.
        ranks (int): How many there are. Defaults to 1.
    """

    every: Callable[[Callable[[], Any]], list[Any]] = lambda work: [work()]
    main: Callable[[Callable[[], Any]], Any] = lambda work: work()
    rank: int = 0
    ranks: int = 1


@in_ordinary_modes
def round_weights(
    model: nn.Module,
    twin: nn.Module,
    batches: Sequence[Any],
    forward: Forward = call,
    progress: Callable[..., Any] = iter,
    kept: Kept | None = None,
    team: Team | None = None,
) -> None:
    """Rounds and freezes the weights of layers that need a Hessian.

    Args:
        model (nn.Module): Fitted, not frozen.
        twin (nn.Module): The same model from :func:`igq_mmdet.quantize`,
            not calibrated, which computes as float.
        batches (Sequence): The calibration images, as ``forward`` takes
            them; they are gone through many times.
        forward (Callable): How to run a model on a batch. Defaults to
            calling it.
        progress (Callable): Wraps an iterable of steps, such as ``tqdm``.
        kept (Kept, optional): Used by rank 0 only. Defaults to None.
        team (Team, optional): Every rank has the same models and batches.
            Defaults to this process alone.
    """
    team = team or Team()
    layers = {
        name: layer
        for name, layer in weighted_layers(model).items()
        if ROUNDINGS[layer.config.weights].needs_hessian and not layer.frozen
    }
    training = model.training
    model.eval(), twin.eval()
    own = batches[team.rank :: team.ranks]
    try:
        waves = team.main(lambda: plan_waves(model, layers, batches, forward))
        total = len(own) * sum(wave.calls for wave in waves)
        with closing(_steps(progress, total)) as steps:
            for wave in waves:
                _round_wave(wave, model, twin, own, forward, steps, kept, team)
            next(steps, None)
    finally:
        model.train(training)


def needs_passes(model: nn.Module) -> bool:
    """Whether :func:`round_weights` has anything to do."""
    return any(
        ROUNDINGS[layer.config.weights].needs_hessian
        for layer in weighted_layers(model).values()
    )


def _steps(progress: Callable[..., Any], total: int) -> Generator[int]:
    yield from progress(range(total))


def _round_wave(
    wave: Wave,
    model: nn.Module,
    twin: nn.Module,
    batches: Sequence[Any],
    forward: Forward,
    steps: Iterator[int],
    kept: Kept | None,
    team: Team,
) -> None:
    """Rounds the layers of a wave, or finds them rounded."""
    layers = weighted_layers(model)
    alone = lone_layers(model)
    key = wave.layers[0]

    def collect() -> dict[str, Moments]:
        moments = {}
        for name in wave.layers:
            layer = layers[name]
            fits = ROUNDINGS[layer.config.weights].fits_outputs
            moments[name] = _empty(layer, fits and not name.startswith(alone))
        for batch in batches:
            _collect(wave, model, twin, batch, forward, moments)
            for _ in range(wave.calls):
                next(steps, None)
        return moments

    def round_all() -> dict[str, Tensor]:
        made: dict[str, Tensor] = {}
        for name in wave.layers:
            moments = parts[0].pop(name)
            for part in parts[1:]:
                moments.merge(part.pop(name))
            rounded = round_layer(layers[name], moments)
            made |= {f'{name}.{k}': value for k, value in rounded.items()}
        if kept is not None:
            kept.put(key, made)
        return made

    found = team.main(lambda: None if kept is None else kept.get(key))
    if found is None:
        parts = team.every(collect)
        found = team.main(round_all)
    else:
        for _ in range(wave.calls * len(batches)):
            next(steps, None)
    for name in wave.layers:
        _adopt(layers[name], found, f'{name}.')


def weighted_layers(model: nn.Module) -> dict[str, QuantWeightModule]:
    """The layers of a model that have a weight to round, by name."""
    return {
        name: layer
        for name, layer in quantized_layers(model).items()
        if isinstance(layer, QuantWeightModule)
    }


def lone_layers(model: nn.Module) -> tuple[str, ...]:
    """Starts of the names of layers that see other rows than in float.

    RoIs are proposed by the model itself, and so are the queries of
    two-stage transformers: a row of the float model is another box.

    Args:
        model (nn.Module): Float or quantized.
    """
    found = []
    for name, module in model.named_modules():
        inside = f'{name}.' if name else ''
        if hasattr(module, 'bbox_roi_extractor'):
            found.append(inside)
        if getattr(module, 'as_two_stage', False):
            found += [f'{inside}decoder.', f'{inside}bbox_head.']
    return tuple(found)


def plan_waves(
    model: nn.Module,
    layers: dict[str, QuantWeightModule],
    batches: Sequence[Any],
    forward: Forward,
) -> list[Wave]:
    """Puts layers in the order in which a model calls them.

    Args:
        model (nn.Module): Runs on the first batch.
        layers (dict[str, QuantWeightModule]): What is to be rounded.
        batches (Sequence): At least one.
        forward (Callable): How to run the model.
    """
    calls: list[str] = []
    with _hooked(layers, before=lambda name, _: calls.append(name)):
        with torch.no_grad():
            forward(model, batches[0])
    waves = []
    for name in dict.fromkeys(calls):
        last = len(calls) - calls[::-1].index(name)
        stop = None
        if last < len(calls):
            stop = calls[last], calls[: last + 1].count(calls[last])
        waves.append(Wave((name,), stop, last))
    rest = tuple(name for name in layers if name not in calls)
    if rest:
        waves.append(Wave(rest, None, len(calls)))
    return waves


@torch.no_grad()
def round_layer(
    layer: QuantWeightModule, moments: Moments
) -> dict[str, Tensor]:
    """Rounds one layer by what it has seen; the layer is not changed.

    Args:
        layer (QuantWeightModule): Not frozen.
        moments (Moments): Of its inputs.

    Returns:
        dict[str, Tensor]: ``codes``, ``scale``, ``zero_point`` and, where
        it changes, ``bias``.
    """
    hessian = target = None
    if float(moments.rows):
        hessian = moments.mean_hessian()
        if len(hessian) == 1:
            hessian = hessian[0]
        if moments.paired:
            target = moments.target(layer.rows())
    made = layer.rounded(hessian, target)
    found = dict(zip(PARTS, made, strict=True))
    if target is not None and layer.bias is not None:
        left = moments.bias(layer.rows(layer.values_of(*made)))
        found['bias'] = layer.bias.detach() + left.to(layer.bias)
    return found


def _adopt(
    layer: QuantWeightModule, found: dict[str, Tensor], prefix: str
) -> None:
    """Freezes a layer with what :func:`round_layer` gave."""
    device = layer.weight.device
    parts = [found[prefix + part].to(device) for part in PARTS]
    layer.adopt_codes(*parts)
    bias = found.get(f'{prefix}bias')
    if bias is not None:
        layer.bias = nn.Parameter(bias.to(device), requires_grad=False)


def _empty(layer: QuantWeightModule, paired: bool) -> Moments:
    outputs, inputs = layer.rows().shape
    return Moments(getattr(layer, 'groups', 1), inputs, outputs, paired)


def _collect(
    wave: Wave,
    model: nn.Module,
    twin: nn.Module,
    batch: Any,
    forward: Forward,
    moments: dict[str, Moments],
) -> None:
    """Adds what the layers of a wave see of one batch."""
    outputs: dict[str, list[Tensor]] = {name: [] for name in wave.layers}
    layers = weighted_layers(model)

    def keep(name: str, layer: Any, x: Tensor, y: Tensor) -> None:
        made = layer.made(y)
        bias = layers[name].bias
        outputs[name].append(made if bias is None else made - bias)

    def add(name: str, layer: Any, x: Tensor, y: Tensor) -> None:
        float_rows = outputs[name].pop(0) if outputs[name] else None
        moments[name].update(layer.seen(x), float_rows)

    with torch.no_grad():
        if any(own.paired for own in moments.values()):
            _run(wave, twin, batch, forward, keep)
        _run(wave, model, batch, forward, add)


def _run(
    wave: Wave,
    model: nn.Module,
    batch: Any,
    forward: Forward,
    after: Callable[[str, Any, Tensor, Tensor], None],
) -> None:
    """Runs a model until the layers of a wave are done."""
    layers = weighted_layers(model)
    left = 0 if wave.stop is None else wave.stop[1]

    def before(name: str, layer: Any) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise _Done

    watched = {} if wave.stop is None else {wave.stop[0]: layers[wave.stop[0]]}
    own = {name: layers[name] for name in wave.layers}
    with _hooked(watched, before=before), _hooked(own, after=after):
        try:
            forward(model, batch)
        except _Done:
            pass


@contextmanager
def _hooked(
    layers: dict[str, QuantWeightModule],
    before: Callable[[str, Any], None] | None = None,
    after: Callable[[str, Any, Tensor, Tensor], None] | None = None,
) -> Iterator[None]:
    """Calls functions before and after layers, with their names."""

    def ahead(name: str, layer: Any, args: Any) -> None:
        assert before is not None
        before(name, layer)

    def behind(name: str, layer: Any, args: Any, output: Any) -> None:
        assert after is not None
        after(name, layer, args[0], output)

    handles: list[Any] = []
    for name, layer in layers.items():
        if before is not None:
            handles.append(
                layer.register_forward_pre_hook(partial(ahead, name))
            )
        if after is not None:
            handles.append(layer.register_forward_hook(partial(behind, name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
