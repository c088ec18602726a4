"""The number of groups of each layer under a BOP budget (section 5)."""

import dataclasses
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ..cost import layer_cost
from ..spec import QuantSpec
from .calibrate import quantize
from .collect import Forward, Statistics, call, collect
from .divergence import Predict, divergence, predict_classes
from .fit import fit, freeze
from .integer_program import choose_groups
from .perturbation import CANDIDATES, Perturbation, PreparedImage
from .results_file import ResultsFile, digest


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
    reach: int
    seconds: float
    forwards: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        data = dataclasses.asdict(self)
        data['spec'] = self.spec.to_dict()
        return data


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
        batches (Iterable): Batches of one calibration image each.
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
        SpecError: The target is not a candidate, or the method not igq.
    """
    started = time.perf_counter()
    batches = list(batches)
    spec = dataclasses.replace(spec, layer_groups={})
    if statistics is None:
        statistics = collect(quantize(model, spec), batches, forward)
    work = Perturbation(
        model, spec, statistics, predict, candidates, others, copies
    )
    points = {
        name: [work.quantizer(name, g).upper.tolist() for g in candidates]
        for name in work.layers
    }
    key = digest(
        model.state_dict(),
        [spec.to_dict(), list(candidates), others, points, len(batches)],
    )
    results = ResultsFile(folder, 'allocation', key)
    table = _measure_all(work, batches, results, progress)
    costs = {
        name: {g: layer_cost(layer, g).bops for g in candidates}
        for name, layer in work.layers.items()
    }
    budget = sum(costs[name][spec.groups] for name in costs)
    measure = _Measure(model, batches, statistics, predict)
    before = measure(spec)
    for reach in _reaches(len(candidates)):
        near = _near(candidates, spec.groups, reach)
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
            sum(row[spec.groups] for row in table.values()),
            sum(table[name][g] for name, g in chosen.items()),
        ),
        measured=(before, after),
        reach=reach,
        seconds=time.perf_counter() - started,
        forwards=work.forwards,
    )


def _measure_all(
    work: Perturbation,
    batches: Sequence[Any],
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
            prepared = {image: work.prepare(batches[image])}  # one at a time
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
    table: dict[str, dict[int, float]], candidates: Sequence[int]
) -> dict[str, dict[int, float]]:
    return {
        name: {g: row[g] for g in candidates} for name, row in table.items()
    }


class _Measure:
    """Mean KL of a whole quantized model over images."""

    def __init__(
        self,
        model: nn.Module,
        batches: Sequence[Any],
        statistics: Statistics,
        predict: Predict,
    ) -> None:
        self.model, self.batches = model, batches
        self.statistics, self.predict = statistics, predict

    @torch.no_grad()
    def __call__(self, spec: QuantSpec) -> float:
        qmodel = quantize(self.model, spec)
        fit(qmodel, self.statistics)
        freeze(qmodel)
        qmodel.eval()
        total = 0.0
        for batch in self.batches:
            reference = self.predict(self.model, batch, 1)
            output = self.predict(qmodel, batch, 1)
            total += divergence(reference, output)[0]
        return total / len(self.batches)
