"""The paper's ablations, and our own decisions, as settings to evaluate."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..spec import QuantSpec

GROUPS = (1, 2, 4, 8, 12, 16, 24)
# methods that show how much the number of images matters to whom
BY_IMAGES = {
    'layer-wise': 'layerwise',
    'instance-aware': 'igq',
    'RepQ-ViT': 'repq',
}


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Args:
        label (str): What it says.
        changes (Mapping): Fields of the spec that differ.
        images (int): Calibration images. Defaults to 1.
        allocated (bool): Whether groups are allocated. Defaults to False.
        others (str): What other layers do meanwhile, see
            :func:`allocate_detector`. Defaults to 'target'.
        seeds (int, optional): How many of the table's; None is all.
        where (tuple): What fields of the images must be, as pairs.
        annotations (str, optional): Another file of the calibration set.
    """

    label: str
    changes: Mapping[str, Any] = field(default_factory=dict)
    images: int = 1
    allocated: bool = False
    others: str = 'target'
    seeds: int | None = None
    where: tuple[tuple[str, str], ...] = ()
    annotations: str | None = None


@dataclass(frozen=True)
class Table:
    """One table of an ablation.

    Args:
        title (str): What it is about.
        rows (tuple[Row, ...]): Its lines.
        seeds (int, optional): How many of the seeds; None is all.
        bits (tuple, optional): Of weights and activations; None is the
            ablation's.
    """

    title: str
    rows: tuple[Row, ...]
    seeds: int | None = None
    bits: tuple[tuple[int, int], ...] | None = None


@dataclass(frozen=True, order=True)
class Draw:
    """Calibration images.

    Args:
        images (int): How many.
        seed (int): What they are drawn with.
        where (tuple): See :class:`Row`.
        annotations (str): See :class:`Row`; empty for the config's own.
    """

    images: int
    seed: int
    where: tuple[tuple[str, str], ...] = ()
    annotations: str = ''


@dataclass(frozen=True)
class Setting:
    """One evaluation.

    Args:
        spec (QuantSpec): What to quantize and how.
        draw (Draw): What to calibrate on.
        allocated (bool): Whether groups are allocated.
        others (str): See :class:`Row`.
    """

    spec: QuantSpec
    draw: Draw
    allocated: bool
    others: str = 'target'

    @property
    def key(self) -> str:
        """Names its result."""
        draw = self.draw
        named: list[Any] = [self.spec.to_dict(), draw.images, draw.seed]
        named.append(self.allocated)
        # only what is not as always, so that older results stay found
        more = {
            'where': dict(draw.where),
            'annotations': draw.annotations,
            'others': '' if self.others == 'target' else self.others,
        }
        named += [{k: v for k, v in more.items() if v}] * any(more.values())
        return json.dumps(named, sort_keys=True)


def tables(images: Sequence[int] = (1, 4, 8)) -> dict[str, Table]:
    """All tables by name; a row that stands in two is evaluated once.

    Args:
        images (Sequence[int]): Numbers of calibration images to compare.
    """
    linear = {'targets': 'linear'}
    return {
        'short': Table(
            'Layer-wise, groups and the bound',
            (
                Row('layer-wise', {'method': 'layerwise'}),
                Row('8 groups', {'groups': 8}),
                Row('12 groups', {'groups': 12}),
                Row('upper bound', {'method': 'upper_bound'}),
            ),
        ),
        'targets': Table(
            'Where groups are used',
            (
                Row('layer-wise', {'method': 'layerwise'}),
                Row('linear only', linear),
                Row('softmax only', {'targets': 'softmax'}),
                Row('both'),
            ),
        ),
        'methods': Table(
            'How channels are grouped, and rivals',
            (
                Row('layer-wise', {'method': 'layerwise'}),
                Row('consecutive, fixed', {'method': 'consecutive'}),
                Row('sorted, fixed', {'method': 'sorted'}),
                Row('instance-aware, linear only', linear),
                Row('instance-aware', {}),
                Row('integral (extension)', {'method': 'igq_integral'}),
                Row('RepQ-ViT', {'method': 'repq'}),
                Row('upper bound', {'method': 'upper_bound'}),
            ),
        ),
        'allocation': Table(
            'Number of groups per layer',
            (Row('the same everywhere'), Row('allocated', allocated=True)),
        ),
        'groups': Table(
            'Number of groups',
            tuple(Row(str(g), {'groups': g}) for g in GROUPS),
            seeds=3,
        ),
        'decisions': Table(
            'Decisions that the paper leaves open',
            (
                Row('as decided'),
                Row('zero points clipped', {'strict_zero_point': True}),
                Row('M-step: envelope', {'m_step': 'envelope'}),
                Row(
                    'consecutive, envelope',
                    {'method': 'consecutive', 'm_step': 'envelope'},
                ),
                Row(
                    'sorted, envelope',
                    {'method': 'sorted', 'm_step': 'envelope'},
                ),
                Row(
                    'weights: one percentile a layer',
                    {'weight_scope': 'layer'},
                ),
                Row('weights by min and max', {'weight_percentiles': (0,)}),
                Row(
                    'static bounds from 99.9 %',
                    {'static_percentiles': (99.9, 99.99, 99.999, 100)},
                ),
            ),
            seeds=3,
        ),
        'images': Table(
            'Calibration images',
            tuple(
                Row(f'{label}, {n}', {'method': method}, images=n)
                for label, method in BY_IMAGES.items()
                for n in images
            ),
            seeds=2,
        ),
    }


def settings(
    row: Row, base: QuantSpec, bits: tuple[int, int], seeds: Sequence[int]
) -> list[Setting]:
    """The evaluations behind one line of a table.

    Args:
        row (Row): The line.
        base (QuantSpec): What all settings share.
        bits (tuple[int, int]): Of weights and activations.
        seeds (Sequence[int]): Of the calibration images.
    """
    spec = dataclasses.replace(
        base, w_bits=bits[0], a_bits=bits[1], **row.changes
    )
    return [
        Setting(
            spec,
            Draw(row.images, seed, row.where, row.annotations or ''),
            row.allocated,
            row.others,
        )
        for seed in seeds[: row.seeds]
    ]
