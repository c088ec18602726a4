"""Which matrix products of a forward run go through quantizers.

Products are counted where torch dispatches them, not by module name, so
that a layer used through ``F.linear(x, layer.weight)``, a fused attention
or an ``einsum`` cannot hide. Products written as elementwise operations
(such as the sampling in deformable attention) are none.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import nn

from ..calibration.collect import Forward, call
from ..errors import SpecError
from ..modes import in_ordinary_modes
from ..modules.base import QuantModule
from ..modules.plan import part_of, selected
from ..modules.swap import quantized_layers
from ..modules.table import float_children, float_products, quantized_class
from .columns import format_rows
from .trace import Product, Trace

STATES = ('quantized', 'excluded', 'float', 'uncovered')


@dataclass(frozen=True)
class CoverageRow:
    """Products of one kind in one layer.

    Args:
        layer (str): Name of the layer that computed them.
        part (str): Part of the model it belongs to.
        kind (str): ``linear``, ``conv``, ``softmax`` (attention times V)
            or ``product`` (of two activations).
        ops (tuple[str, ...]): How torch calls them.
        calls (int): How many.
        macs (float): Multiply-accumulates of all of them.
        state (str): ``quantized``: every operand; ``excluded``: left in
            float on purpose, see ``reason``; ``float``: in a part that is
            not quantized; ``uncovered``: in float inside a quantized part.
        reason (str): Why it is excluded.
    """

    layer: str
    part: str
    kind: str
    ops: tuple[str, ...]
    calls: int
    macs: float
    state: str
    reason: str = ''


@dataclass(frozen=True)
class Coverage:
    """Every matrix product of one forward run; prints as a table.

    Args:
        rows (tuple[CoverageRow, ...]): In order of execution.
    """

    rows: tuple[CoverageRow, ...]

    @property
    def uncovered(self) -> list[CoverageRow]:
        """Products that run in float inside a quantized part."""
        return [row for row in self.rows if row.state == 'uncovered']

    def count(self, kind: str) -> tuple[int, int]:
        """Layers of a kind that are quantized, and all in quantized parts.

        Args:
            kind (str): See :class:`CoverageRow`.
        """
        states = [row.state for row in self.rows if row.kind == kind]
        total = len(states) - states.count('float')
        return states.count('quantized'), total

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready: counts by kind, and every row not quantized."""
        kinds = dict.fromkeys(row.kind for row in self.rows)
        counts = {kind: self.count(kind) for kind in kinds}
        return {
            'layers': {
                kind: {'quantized': done, 'total': total}
                for kind, (done, total) in counts.items()
            },
            **{
                state: [asdict(r) for r in self.rows if r.state == state]
                for state in STATES[1:]
            },
        }

    def __str__(self) -> str:
        lines = [['state', 'kind', 'layers', 'calls', 'GMACs']]
        groups: dict[tuple[str, str], list[CoverageRow]] = {}
        for row in self.rows:
            groups.setdefault((row.state, row.kind), []).append(row)
        for state, kind in sorted(
            groups, key=lambda key: (STATES.index(key[0]), key[1])
        ):
            rows = groups[state, kind]
            calls = sum(row.calls for row in rows)
            macs = sum(row.macs for row in rows) / 1e9
            cells = [state, kind, str(len(rows)), str(calls), f'{macs:.3f}']
            lines.append(cells)
        table = format_rows(lines)
        for row in self.rows:
            if row.state in ('uncovered', 'excluded'):
                table += f'\n{describe(row)}'
        return table


def describe(row: CoverageRow) -> str:
    """One line about products that are not quantized."""
    why = f' ({row.reason})' if row.reason else ''
    where = row.layer or 'the model itself'
    return f'{row.state}: {where}: {row.kind}, {", ".join(row.ops)}{why}'


def coverage(model: nn.Module, *args: Any, **kwargs: Any) -> Coverage:
    """Runs a quantized model once and says what its products go through.

    The run is one of those that calibration makes (quantizers see values
    and let them through), before or after calibration.

    Args:
        model (nn.Module): From :func:`igq_mmdet.quantize`.
        *args: What the model is called with.
        **kwargs: Likewise.

    Returns:
        Coverage: Every product.

    Raises:
        SpecError: The model is not quantized.
    """
    return traced_coverage(model, [(args, kwargs)], _call)


def _call(model: nn.Module, batch: Any) -> Any:
    args, kwargs = batch
    return model(*args, **kwargs)


@in_ordinary_modes
def traced_coverage(
    model: nn.Module, batches: Iterable[Any], forward: Forward = call
) -> Coverage:
    """Like :func:`coverage`, for batches and ways of running a model.

    Args:
        model (nn.Module): From :func:`igq_mmdet.quantize`.
        batches (Iterable): Whatever ``forward`` takes.
        forward (Callable): How to run ``model`` on one batch. Defaults to
            calling it.
    """
    if getattr(model, 'igq_spec', None) is None:
        raise SpecError('not a quantized model; call igq.quantize first')
    trace = Trace(model)
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), trace:
            for batch in batches:
                forward(model, batch)
    finally:
        model.train(training)
    return Coverage(tuple(_rows(model, trace.products)))


def _rows(
    model: nn.Module, products: Iterable[Product]
) -> Iterable[CoverageRow]:
    groups: dict[tuple[str, str, bool], list[Product]] = {}
    for product in products:
        key = (product.owner, product.kind, product.quantized)
        groups.setdefault(key, []).append(product)
    modules = dict(model.named_modules())
    parts = {q.config.part for q in quantized_layers(model).values()}
    for (owner, kind, quantized), members in groups.items():
        part = part_of(owner, hasattr(model, 'backbone'))
        state, reason = 'quantized', ''
        if not quantized:
            inside = part in parts
            state, reason = _state(model, modules, owner, kind, inside)
        yield CoverageRow(
            owner,
            part,
            kind,
            tuple(dict.fromkeys(product.op for product in members)),
            len(members),
            sum(product.macs for product in members),
            state,
            reason,
        )


def _state(
    model: nn.Module,
    modules: dict[str, nn.Module],
    owner: str,
    kind: str,
    inside: bool,
) -> tuple[str, str]:
    """State and reason of products in float."""
    if not inside:
        return 'float', ''
    path = [owner]
    while path[-1]:
        path.append(path[-1].rpartition('.')[0])
    for name, parent in zip(path, path[1:], strict=False):
        child = name[len(parent) :].strip('.')
        reason = float_children(modules[parent]).get(child)
        if reason:
            return 'excluded', reason
    reason = float_products(modules[owner]).get(kind, '')
    if reason:
        return 'excluded', reason
    if isinstance(modules[owner], QuantModule):
        return 'uncovered', ''
    spec: Any = model.igq_spec
    if quantized_class(modules[owner]) and not selected(owner, spec):
        return 'excluded', 'by include or exclude'
    return 'uncovered', ''
