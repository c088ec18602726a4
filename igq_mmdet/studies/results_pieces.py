"""What docs/results.md is made from: settings in pieces, best first."""

from collections.abc import Sequence
from dataclasses import replace

from ..report.ablations.claims import KINDS
from .ablation_settings import Row, Table

IMAGES, SEEDS = 8, 5
W4A4, W3A4, W8A8, W8A3 = (4, 4), (3, 4), (8, 8), (8, 3)
OTHER_BITS = (W8A8, (6, 6), (4, 8), (8, 4), W8A3)
# the calibration set proper has a single image of one kind
WITH_EVERY_KIND = 'instances_train.json'

ORDER = (
    Row('layer-wise', {'method': 'layerwise'}, IMAGES),
    Row('8 groups', {'groups': 8}, IMAGES),
    Row('12 groups', {'groups': 12}, IMAGES),
    Row('upper bound', {'method': 'upper_bound'}, IMAGES),
)
RIVALS = (
    Row('consecutive, fixed', {'method': 'consecutive'}, IMAGES),
    Row('sorted, fixed', {'method': 'sorted'}, IMAGES),
    Row(
        '12 groups, integral', {'method': 'igq_integral', 'groups': 12}, IMAGES
    ),
    Row('RepQ-ViT', {'method': 'repq'}, IMAGES),
)
PARTS = (
    Row('8 groups, linear only', {'targets': 'linear'}, IMAGES),
    Row('8 groups, softmax only', {'targets': 'softmax'}, IMAGES),
)
ROUNDINGS = (
    ORDER[2],
    *(
        Row(
            f'12 groups, {weights}', {'groups': 12, 'weights': weights}, IMAGES
        )
        for weights in ('gptq', 'ridge+gptq')
    ),
)
BY_IMAGES = (ORDER[0], ORDER[2], ORDER[3])


def pieces() -> dict[str, Table]:
    """Tables by name, in the order in which they are worth running."""
    return {
        'headline': Table(
            'Every method at W4A4', ORDER + RIVALS + PARTS, bits=(W4A4,)
        ),
        'rounding': Table(
            'How weights are rounded', ROUNDINGS, bits=(W4A4, W3A4)
        ),
        'images': Table(
            'Calibration images', _by_images((1, 8, 32)), 3, (W4A4, W8A8)
        ),
        'kinds': Table(
            'Calibrated on one kind, evaluated on each',
            tuple(
                replace(
                    row,
                    label=f'{row.label}, on {kind}',
                    where=(('kind', kind),) if kind in KINDS else (),
                    annotations=WITH_EVERY_KIND,
                )
                for kind in ('any kind', *KINDS)
                for row in BY_IMAGES
            ),
            3,
            (W4A4,),
        ),
        'allocation': Table(
            'Number of groups per layer', _allocated(), 3, (W4A4, W8A3)
        ),
        'bits': Table('Other bits', ORDER + RIVALS, 3, OTHER_BITS),
    }


def _by_images(numbers: Sequence[int]) -> tuple[Row, ...]:
    return tuple(
        replace(
            row,
            label=f'{row.label}, {n}',
            images=n,
            # all that the calibration set has: every seed draws the same
            seeds=1 if n == 32 else None,
        )
        for n in numbers
        for row in BY_IMAGES
    )


def _allocated() -> tuple[Row, ...]:
    found = []
    for row in ORDER[1:3]:
        label = f'{row.label}, allocated'
        found += [row, replace(row, label=label, allocated=True)]
    alone = replace(found[1], label=f'{found[1].label} one by one')
    return (*found, replace(alone, others='float'))
