"""How far each candidate of each layer moves predictions (section 5)."""

import reprlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..calibration.calibrate import fit, freeze, quantize
from ..calibration.collect import Statistics, images_in
from ..errors import SpecError
from ..methods import METHODS, acting_method
from ..modules.base import QuantModule
from ..modules.swap import quantized_layers
from ..spec import MAX_GROUPS, QuantSpec
from .candidates import trying
from .divergence import Predict, divergence
from .replay import Replay

CANDIDATES = (4, 6, 8, 10, 12, 14, 16, 20, 24)
OTHERS = ('target', 'float')


class Perturbation:
    """Measures how far each candidate of each layer moves predictions.

    Args:
        model (nn.Module): The float model.
        spec (QuantSpec): The target, of a method with groups.
        statistics (Statistics): Of the calibration images.
        predict (Predict): Class logits of one image.
        candidates (Sequence[int]): Numbers of groups to try.
        others (str): Whether the other layers stand at the ``target`` or
            in ``float``. Defaults to ``target``.
        copies (int): How many candidates share a pass. Defaults to 8.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: QuantSpec,
        statistics: Statistics,
        predict: Predict,
        candidates: Sequence[int] = CANDIDATES,
        others: str = 'target',
        copies: int = 8,
    ) -> None:
        if not METHODS[spec.method].grouped:
            raise SpecError(
                f'allocation needs a method with groups, got {spec.method!r}'
            )
        candidates = check_candidates(candidates)
        if others not in OTHERS:
            raise SpecError(f'others must be one of {OTHERS}, got {others!r}')
        if not isinstance(copies, int) or copies < 1:
            raise SpecError(f'copies must be at least 1, got {copies!r}')
        self.float_model = model
        self.statistics = statistics
        self.predict = predict
        self.candidates = candidates
        self.others = others
        self.copies = copies
        self.forwards = 0
        self.spec = spec
        self.qmodel = quantize(model, spec)
        fit(self.qmodel, statistics)
        if others == 'target':
            freeze(self.qmodel)
        else:
            disable(self.qmodel)
        self.qmodel.eval()
        self.layers = {
            name: layer
            for name, layer in quantized_layers(self.qmodel).items()
            if _is_grouped(layer)
        }
        self.targets = {
            name: layer.config.groups for name, layer in self.layers.items()
        }
        for name, groups in self.targets.items():
            if groups not in candidates:
                raise SpecError(
                    f'{name}: groups={groups} is not among the candidates '
                    f'{candidates}; the target must be'
                )
        # where copies of an image lie in the outputs of blocks
        self.axes: dict[str, Any] = {}
        self._fitted: dict[tuple[str, int], nn.Module] = {}

    def reference(self, batch: Any) -> Sequence[Tensor]:
        """Predicts with the float model."""
        self.forwards += 1
        with torch.no_grad():
            return self.predict(self.float_model, batch, 1)

    def prepare(
        self, batch: Any, reference: Sequence[Tensor]
    ) -> 'PreparedImage':
        """Runs one batch and keeps the outputs of blocks.

        Args:
            batch (Any): As the predictor takes it.
            reference (Sequence[Tensor]): What :meth:`reference` gave.
        """
        return PreparedImage(self, batch, reference)

    def run(self, batch: Any, copies: int = 1) -> Sequence[Tensor]:
        """Predicts with the quantized model as it stands."""
        self.forwards += 1
        with torch.no_grad():
            return self.predict(self.qmodel, batch, copies)

    def quantizer(self, name: str, groups: int) -> Any:
        """A calibrated quantizer of a layer with ``groups`` groups."""
        key = name, groups
        if key not in self._fitted:
            layer = self.layers[name]
            made = layer.grouped_quantizer(groups)
            observers = self.statistics.observers[
                f'{name}.{layer.grouped_key}'.lstrip('.')
            ]
            made.set_bounds(*made.fit(observers[made.observes], self.spec))
            self._fitted[key] = made
        return self._fitted[key]


class PreparedImage:
    """One batch, run once, on which layers are perturbed.

    Args:
        owner (Perturbation): The models.
        batch (Any): As the predictor takes it, mostly one image.
        reference (Sequence[Tensor]): Float predictions.
    """

    def __init__(
        self, owner: Perturbation, batch: Any, reference: Sequence[Tensor]
    ) -> None:
        self.owner = owner
        self.batch = batch
        self.reference = reference
        self.replay = Replay(owner.qmodel, list(owner.layers), axes=owner.axes)
        base = self.replay.record(
            lambda copies: owner.run(batch, copies), owner.copies
        )
        self.base = divergence(self.reference, base)[0]

    def measure(self, name: str) -> dict[int, float]:
        """KL of every candidate of one layer.

        Args:
            name (str): A grouped layer.
        """
        owner = self.owner
        known: dict[int, float] = {}
        if not self.replay.reaches(name):
            return dict.fromkeys(owner.candidates, self.base)
        if owner.others == 'target':
            known = {owner.targets[name]: self.base}
        rest = [g for g in owner.candidates if g not in known]
        for start in range(0, len(rest), owner.copies):
            groups = rest[start : start + owner.copies]
            quantizers = [owner.quantizer(name, g) for g in groups]
            with (
                trying(owner.layers[name], quantizers, images_in(self.batch)),
                self.replay.start_at(name, len(groups)),
            ):
                output = owner.run(self.batch, len(groups))
            found = divergence(self.reference, output, len(groups))
            known.update(zip(groups, found, strict=True))
        return {g: known[g] for g in owner.candidates}


def check_candidates(candidates: Any) -> tuple[int, ...]:
    """Numbers of groups that can be tried.

    Args:
        candidates (Sequence[int]): Different numbers from 2 on.

    Raises:
        SpecError: They are not.
    """
    whole: list[int] = []
    if isinstance(candidates, Sequence) and not isinstance(candidates, str):
        whole = [
            g for g in candidates if type(g) is int and 1 < g <= MAX_GROUPS
        ]
    if not whole or len(set(whole)) != len(candidates):
        raise SpecError(
            'candidates must be different whole numbers from 2 on, got '
            f'{reprlib.repr(candidates)}'
        )
    return tuple(whole)


def _is_grouped(layer: QuantModule) -> bool:
    method = acting_method(layer.config.method, layer.config.groups)
    return layer.grouped_key is not None and method.grouped


def disable(model: nn.Module) -> None:
    """Lets everything through in float."""
    for layer in quantized_layers(model).values():
        for quantizer in layer.quantizers().values():
            quantizer.ready = False
