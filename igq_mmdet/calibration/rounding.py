"""Rounds weights by what they do to outputs, in the order of the forward.

GPTQ and its kin need to know what each layer gets to see in a model whose
earlier layers are quantized, weights and all (method, section 9). Images are
run anew for every wave of layers, as far as that wave, so that nothing but
sums is ever held of more than one image.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ..methods import ROUNDINGS
from ..modes import in_ordinary_modes
from ..modules.weight_module import QuantWeightModule
from .collect import Forward, call
from .moments import Moments
from .waves import Wave, plan_waves, run_wave, weighted_layers

PARTS = ('codes', 'scale', 'zero_point')  # of :func:`round_layer`


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
    layers = weighted_layers(model)
    todo = {
        name: layer
        for name, layer in layers.items()
        if ROUNDINGS[layer.config.weights].needs_hessian and not layer.frozen
    }
    training = model.training
    model.eval(), twin.eval()
    own = batches[team.rank :: team.ranks]
    try:
        waves = team.main(lambda: plan_waves(model, todo, batches, forward))
        total = len(own) * sum(wave.calls for wave in waves)
        with closing(_steps(progress, total)) as steps:
            passes = _Passes(
                model,
                twin,
                layers,
                weighted_layers(twin),
                lone_layers(model),
                own,
                forward,
                steps,
            )
            for wave in waves:
                _round_wave(wave, passes, kept, team)
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


@dataclass(frozen=True)
class _Passes:
    """What every wave goes through again.

    Args:
        model (nn.Module): Quantized.
        twin (nn.Module): The same that computes as float.
        layers (dict[str, QuantWeightModule]): Those of the model.
        twins (dict[str, QuantWeightModule]): Those of the twin.
        lone (tuple[str, ...]): From :func:`lone_layers`.
        batches (Sequence): The images of this process.
        forward (Callable): How to run either.
        steps (Iterator): One a call of a layer, for the progress bar.
    """

    model: nn.Module
    twin: nn.Module
    layers: dict[str, QuantWeightModule]
    twins: dict[str, QuantWeightModule]
    lone: tuple[str, ...]
    batches: Sequence[Any]
    forward: Forward
    steps: Iterator[int]

    def moments(self, wave: Wave) -> dict[str, Moments]:
        """What the layers of a wave see of all images."""
        found = {}
        for name in wave.layers:
            layer = self.layers[name]
            fits = ROUNDINGS[layer.config.weights].fits_outputs
            paired = fits and not name.startswith(self.lone)
            outputs, inputs = layer.rows().shape
            groups = getattr(layer, 'groups', 1)
            found[name] = Moments(groups, inputs, outputs, paired)
        for batch in self.batches:
            self._see(wave, batch, found)
            self.skip(wave.calls)
        return found

    def skip(self, calls: int) -> None:
        """Moves the progress bar."""
        for _ in range(calls):
            next(self.steps, None)

    def _see(
        self, wave: Wave, batch: Any, moments: dict[str, Moments]
    ) -> None:
        outputs: dict[str, list[Tensor]] = {name: [] for name in wave.layers}

        def keep(name: str, layer: Any, x: Tensor, y: Tensor) -> None:
            made = layer.made(y)
            bias = self.layers[name].bias
            outputs[name].append(made if bias is None else made - bias)

        def add(name: str, layer: Any, x: Tensor, y: Tensor) -> None:
            float_rows = outputs[name].pop(0) if outputs[name] else None
            moments[name].update(layer.seen(x), float_rows)

        run = self.forward
        if any(own.paired for own in moments.values()):
            run_wave(wave, self.twin, self.twins, batch, run, keep)
        run_wave(wave, self.model, self.layers, batch, run, add)


def _round_wave(
    wave: Wave, passes: _Passes, kept: Kept | None, team: Team
) -> None:
    """Rounds the layers of a wave, or finds them rounded."""
    layers = passes.layers
    key = wave.layers[0]

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
        parts = team.every(lambda: passes.moments(wave))
        found = team.main(round_all)
    else:
        passes.skip(wave.calls * len(passes.batches))
    for name in wave.layers:
        _adopt(layers[name], found, f'{name}.')


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
