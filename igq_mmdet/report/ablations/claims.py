"""What the paper claims, and what intervals say of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..differences import Difference
from ..differences.difference import ABOVE, BELOW, CANNOT_TELL
from ..metrics import BOX, MASK
from .tables import NOT_RUN, differences
from .words import PAIRS

HOLDS, FAILS = 'holds', 'does not hold'
NEAR = 0.005  # as a fraction: half an AP
_OF_WORD = {ABOVE: HOLDS, BELOW: FAILS, CANNOT_TELL: CANNOT_TELL}
KINDS = ('fluorescence', 'stained tissue', 'brightfield')


@dataclass(frozen=True)
class Claim:
    """One comparison.

    Args:
        about (str): What the paper says, in words; several comparisons may
            be about the same.
        tables (tuple[str, ...]): Where both settings stand.
        of (str): The setting that is said to be above, or near.
        against (str): The other one.
        near (bool): Said is that it loses less than half an AP. Defaults
            to False: that it is above.
        bits (tuple, optional): Only these. Defaults to None, all.
    """

    about: str
    tables: tuple[str, ...]
    of: str
    against: str
    near: bool = False
    bits: tuple[tuple[int, int], ...] | None = None

    @property
    def words(self) -> str:
        """The comparison."""
        word = 'near' if self.near else 'above'
        return f'{self.of} {word} {self.against}'

    def verdict(self, off: Difference | None) -> str:
        """What an interval says.

        Args:
            off (Difference, optional): As a fraction; None is not run.
        """
        if off is None:
            return NOT_RUN
        if not self.near:
            return _OF_WORD[off.word]
        if off.low > -NEAR:
            return HOLDS
        return FAILS if off.high < -NEAR else CANNOT_TELL


BOTH = ('headline', 'bits')
PAPER = (
    Claim('more groups are better', BOTH, '8 groups', 'layer-wise'),
    Claim('more groups are better', BOTH, '12 groups', '8 groups'),
    Claim('nothing is above the bound', BOTH, 'upper bound', '12 groups'),
    Claim('12 groups come near it', BOTH, '12 groups', 'upper bound', True),
    Claim(
        'groups are chosen by the image',
        ('headline',),
        '8 groups, linear only',
        'consecutive, fixed',
    ),
    Claim(
        'groups are chosen by the image',
        ('headline',),
        '8 groups, linear only',
        'sorted, fixed',
    ),
    Claim('fixed groups help, too', BOTH, 'consecutive, fixed', 'layer-wise'),
    Claim('fixed groups help, too', BOTH, 'sorted, fixed', 'layer-wise'),
    Claim(
        'groups of channels help',
        ('headline',),
        '8 groups, linear only',
        'layer-wise',
    ),
    Claim(
        'groups of softmax rows help',
        ('headline',),
        '8 groups, softmax only',
        'layer-wise',
    ),
    Claim(
        'groups of softmax rows help',
        ('headline',),
        '8 groups',
        '8 groups, linear only',
    ),
    Claim('better than RepQ-ViT', BOTH, '12 groups', 'RepQ-ViT'),
    Claim(
        'allocation pays at equal BOPs',
        ('allocation',),
        '8 groups, allocated',
        '8 groups',
    ),
    Claim(
        'allocation pays at equal BOPs',
        ('allocation',),
        '12 groups, allocated',
        '12 groups',
    ),
    Claim(
        'allocation pays at equal BOPs',
        ('allocation',),
        '8 groups, allocated one by one',
        '8 groups',
    ),
    Claim(
        'one calibration image is enough',
        ('images',),
        '12 groups, 1',
        '12 groups, 8',
        True,
    ),
    Claim(
        '8 images do as well as 32',
        ('images',),
        '12 groups, 8',
        '12 groups, 32',
        True,
    ),
    *(
        Claim(
            'groups survive other images',
            ('kinds',),
            f'12 groups, on {kind}',
            f'layer-wise, on {kind}',
        )
        for kind in KINDS
    ),
    *(
        Claim(
            'groups survive other images',
            ('kinds',),
            f'12 groups, on {kind}',
            '12 groups, on any kind',
            True,
        )
        for kind in KINDS
    ),
    Claim(
        'little is lost to float',
        ('bits',),
        '12 groups',
        'float',
        True,
        ((8, 8), (6, 6)),
    ),
)


def pairs_of(table: str) -> list[tuple[str, str]]:
    """Settings that words are about.

    Args:
        table (str): Its name.
    """
    claims = [(x.of, x.against) for x in PAPER if table in x.tables]
    return [*PAIRS.get(table, ()), *claims]


@dataclass(frozen=True)
class Judged:
    """A claim at some bits.

    Args:
        claim (Claim): What is claimed.
        bits (tuple[int, int]): Of weights and activations.
        found (dict[str, Difference]): By metric, also those by kind; empty
            if not run.
        metrics (tuple[str, ...]): Those that are judged.
    """

    claim: Claim
    bits: tuple[int, int]
    found: Mapping[str, Difference]
    metrics: Sequence[str]

    def verdict(self, metric: str) -> str:
        """Of one metric."""
        return self.claim.verdict(self.found.get(metric))

    def parts(self, metric: str) -> dict[str, Difference]:
        """By value of a field of the images, where there is one."""
        return {
            key.rpartition('/')[2]: off
            for key, off in self.found.items()
            if key.startswith(f'{metric}_by_')
        }


def judged(data: Mapping[str, Any]) -> list[Judged]:
    """Every claim of the tables there are, those at W4A4 first.

    Args:
        data (Mapping): From ``Ablation.run`` on the pieces of results.
    """
    metrics = [m for m in (BOX, MASK) if m in data['float']['metrics']]
    said = []
    for claim in PAPER:
        for table in claim.tables:
            if table not in data['tables']:
                continue
            found = differences(data, table)
            labels = {row['label'] for row in data['tables'][table]['rows']}
            if not {claim.of, claim.against} <= labels | {'float'}:
                continue
            for bits in map(tuple, data['tables'][table]['bits']):
                if claim.bits is not None and bits not in claim.bits:
                    continue
                own = {
                    metric: off
                    for (of, against, at, metric), off in found.items()
                    if (of, against, at) == (claim.of, claim.against, bits)
                }
                said.append(Judged(claim, bits, own, metrics))
    return sorted(said, key=lambda one: one.bits != (4, 4))
