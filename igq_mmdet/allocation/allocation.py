"""The number of groups of each layer under a BOP budget (section 5)."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..calibration.calibrate import fit, freeze, quantize
from ..calibration.collect import Forward, Statistics, call, collect
from ..files.results_file import ResultsFile, digest
from ..inspection.cost import layer_cost
from ..modes import in_ordinary_modes
from ..spec import QuantSpec
from .divergence import Predict, divergence, predict_classes
from .integer_program import choose_groups
from .perturbation import CANDIDATES, Perturbation, PreparedImage

# relative; the same values in a batch of another size differ by less
FLAT = 1e-5


@dataclass(frozen=True)
class Allocation:
    """What was chosen, and why.

    Args:
        spec (QuantSpec): The setting with ``layer_groups`` filled in.
        table (dict): Mean KL by layer and candidate.
        costs (dict): BOPs by layer and candidate.
        budget (float): BOPs of the allocated layers at the target.
        bops (float): Their BOPs as chosen; at most ``budget``.
        layerwise_bops (float): Their BOPs with one group.
        predicted (tuple[float, float]): Sum of the table's KL with the
            target everywhere, and as chosen.
        measured (tuple[float, float]): KL of the whole model, likewise.
        unseen (tuple[str, ...]): Layers whose number of groups does not
            show in the class predictions, such as one that only moves
            boxes; they stay at the target.
        reach (int): How many steps along the candidates a layer was
            allowed to go from the target, see :func:`allocate`.
        seconds (float): Time of everything.
        forwards (int): Passes of the network, whole or part.
    """

    spec: QuantSpec
    table: dict[str, dict[int, float]]
    costs: dict[str, dict[int, float]]
    budget: float
    bops: float
    layerwise_bops: float
    predicted: tuple[float, float]
    measured: tuple[float, float]
    unseen: tuple[str, ...]
    reach: int
    seconds: float
    forwards: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        data = dataclasses.asdict(self)
        data['spec'] = self.spec.to_dict()
        return data


@in_ordinary_modes
def allocate(
    model: nn.Module,
    spec: QuantSpec,
    batches: Iterable[Any],
    forward: Forward = call,
    predict: Predict = predict_classes,
    candidates: Sequence[int] = CANDIDATES,
    others: str = 'target',
    copies: int = 8,
    folder: str | None = None,
    statistics: Statistics | None = None,
    progress: Callable[..., Any] = iter,
) -> Allocation:
    """Chooses the number of groups of every grouped layer.

    The program adds up what layers do one at a time. Where the whole model,
    measured, ends up farther from float than with the target everywhere,
    layers are kept nearer to the target and the program solved again, so
    that the measured KL never rises; ``reach`` tells how far they went.

    Args:
        model (nn.Module): A float model.
        spec (QuantSpec): ``groups`` is the target that sets the budget.
        batches (Iterable): Calibration images, as ``predict`` takes them;
            a detector's come one at a time.
        forward (Callable): How to run the model for calibration. Defaults
            to calling it.
        predict (Callable): ``(model, batch, copies)`` to class logits.
            Defaults to an image classifier's.
        candidates (Sequence[int]): Numbers of groups to choose from; the
            target must be among them.
        others (str): See :class:`Perturbation`.
        copies (int): See :class:`Perturbation`.
        folder (str, optional): Where finished measurements are kept, so
            that an interrupted allocation goes on. Defaults to None.
        statistics (Statistics, optional): Collected already from
            ``batches``. Defaults to None.
        progress (Callable): Wraps the list of measurements, such as
            ``tqdm``.

    Returns:
        Allocation: ``.spec`` is ready for :func:`igq_mmdet.quantize`.

    Raises:
        SpecError: The target is not a candidate, a candidate is not a
            number of groups, or the method has no groups.
        CalibrationError: There are no images.
    """
    started = time.perf_counter()
    batches = list(batches)
    spec = dataclasses.replace(spec, layer_groups={})
    if statistics is None:
        statistics = collect(quantize(model, spec), batches, forward)
    work = Perturbation(
        model, spec, statistics, predict, candidates, others, copies
    )
    references = [work.reference(batch) for batch in batches]
    key = _key(work, references)
    results = ResultsFile(folder, 'allocation', key)
    table = _measure_all(work, batches, references, results, progress)
    costs = {
        name: {g: layer_cost(layer, g).bops for g in candidates}
        for name, layer in work.layers.items()
    }
    budget = sum(costs[name][g] for name, g in work.targets.items())
    unseen = tuple(name for name, row in table.items() if _flat(row))
    measure = _Measure(work, batches, references)
    before = measure(spec)
    for reach in _reaches(len(candidates)):
        near = {
            name: _near(candidates, g, 0 if name in unseen else reach)
            for name, g in work.targets.items()
        }
        chosen = choose_groups(_only(table, near), _only(costs, near), budget)
        allocated = dataclasses.replace(spec, layer_groups=chosen)
        after = measure(allocated)
        if after <= before:
            break
    return Allocation(
        spec=allocated,
        table=table,
        costs=costs,
        budget=budget,
        bops=sum(costs[name][g] for name, g in chosen.items()),
        layerwise_bops=sum(
            layer_cost(layer, 1).bops for layer in work.layers.values()
        ),
        predicted=(
            sum(table[name][g] for name, g in work.targets.items()),
            sum(table[name][g] for name, g in chosen.items()),
        ),
        measured=(before, after),
        unseen=unseen,
        reach=reach,
        seconds=time.perf_counter() - started,
        forwards=work.forwards,
    )


def _key(work: Perturbation, references: Sequence[Sequence[Tensor]]) -> str:
    """Digest of all that a measurement depends on.

    The float predictions stand for images, proposals and everything in the
    model's configuration that is not in its state.
    """
    tensors = dict(work.float_model.state_dict())
    for image, stages in enumerate(references):
        for stage, logits in enumerate(stages):
            tensors[f'float logits {image} {stage}'] = logits
    for name, layer in work.qmodel.named_buffers():
        tensors[f'quantized {name}'] = layer
    return digest(
        tensors, [work.spec.to_dict(), list(work.candidates), work.others]
    )


def _measure_all(
    work: Perturbation,
    batches: Sequence[Any],
    references: Sequence[Sequence[Tensor]],
    results: ResultsFile,
    progress: Callable[..., Any],
) -> dict[str, dict[int, float]]:
    """Mean KL over images by layer and candidate."""
    jobs = [(i, name) for i in range(len(batches)) for name in work.layers]
    prepared: dict[int, PreparedImage] = {}
    for image, name in progress(jobs):
        if f'{image} {name}' in results:
            continue
        if image not in prepared:
            prepared.clear()  # one at a time
            prepared[image] = work.prepare(batches[image], references[image])
        kl = prepared[image].measure(name)
        results.add(f'{image} {name}', list(kl.items()))
    mean: dict[str, dict[int, float]] = {}
    for name in work.layers:
        rows = [
            dict(results[f'{image} {name}']) for image in range(len(batches))
        ]
        mean[name] = {
            g: sum(row[g] for row in rows) / len(rows) for g in work.candidates
        }
    return mean


def _reaches(count: int) -> list[int]:
    """How far layers may go from the target: all the way, 4, 2, 1, not."""
    return [count] + [step for step in (4, 2, 1, 0) if step < count]


def _near(
    candidates: Sequence[int], target: int, reach: int
) -> tuple[int, ...]:
    ascending = sorted(candidates)
    at = ascending.index(target)
    return tuple(ascending[max(at - reach, 0) : at + reach + 1])


def _only(
    table: dict[str, dict[int, float]],
    candidates: dict[str, tuple[int, ...]],
) -> dict[str, dict[int, float]]:
    return {
        name: {g: row[g] for g in candidates[name]}
        for name, row in table.items()
    }


def _flat(row: dict[int, float]) -> bool:
    """Whether candidates differ by no more than float32 rounds."""
    return max(row.values()) - min(row.values()) <= FLAT * max(row.values())


class _Measure:
    """Mean KL of a whole quantized model over images."""

    def __init__(
        self,
        work: Perturbation,
        batches: Sequence[Any],
        references: Sequence[Sequence[Tensor]],
    ) -> None:
        self.work, self.batches = work, batches
        self.references = references

    @torch.no_grad()
    def __call__(self, spec: QuantSpec) -> float:
        qmodel = quantize(self.work.float_model, spec)
        fit(qmodel, self.work.statistics)
        freeze(qmodel)
        qmodel.eval()
        total = 0.0
        for batch, reference in zip(
            self.batches, self.references, strict=True
        ):
            output = self.work.predict(qmodel, batch, 1)
            self.work.forwards += 1
            total += divergence(reference, output)[0]
        return total / len(self.batches)
