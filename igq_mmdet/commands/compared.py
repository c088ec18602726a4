"""Settings named on a command line, such as ``layerwise,igq:8``."""

import argparse
from collections.abc import Iterable
from typing import Any

from ..errors import SpecError
from ..methods import METHODS
from ..report import run_name
from ..report.differences.pairs import FLOAT, reference_pairs
from ..spec import QuantSpec

COMPARE = 'layerwise,igq:8,igq:12,upper_bound'


def add_compared(
    parser: argparse.ArgumentParser, default: str | None = None
) -> None:
    """Adds which settings are compared, and with which.

    Args:
        parser (ArgumentParser): It is changed.
        default (str, optional): Of ``--compare``.
    """
    parser.add_argument(
        '--compare',
        default=default,
        help='settings to evaluate on the same calibration images, such as '
        + COMPARE,
    )
    parser.add_argument(
        '--reference',
        help='what differences are to: float, or a setting such as layerwise '
        'or igq:8, at the same bits; default the first that is compared, and '
        'float for one alone',
    )


def named_settings(
    names: str, bits: Iterable[tuple[int, int]], groups: int, **fields: Any
) -> list[QuantSpec]:
    """The settings that a list of names stands for, for every pair of bits.

    Args:
        names (str): ``METHOD`` or ``METHOD:GROUPS``, between commas.
        bits (Iterable[tuple[int, int]]): Widths of weights and
            activations.
        groups (int): Where a name gives no number.
        **fields: Of every :class:`QuantSpec`.

    Raises:
        SpecError: A name is not of that form, or a value is out of range.
    """
    specs = []
    for w_bits, a_bits in bits:
        for name in names.split(','):
            method, sign, number = name.strip().partition(':')
            if sign and not number.isdigit():
                raise SpecError(
                    f'--compare: {name!r} is not METHOD or METHOD:GROUPS'
                )
            specs.append(
                QuantSpec(
                    w_bits=w_bits,
                    a_bits=a_bits,
                    groups=int(number) if sign else groups,
                    method=method,
                    **fields,
                )
            )
    return specs


def check_reference(
    reference: str,
    specs: Iterable[QuantSpec],
    with_float: bool,
    allocated: bool = False,
) -> None:
    """Refuses a reference that is not going to be evaluated.

    Args:
        reference (str): See :func:`reference_pairs`.
        specs (Iterable[QuantSpec]): What is evaluated.
        with_float (bool): Whether the float model is.
        allocated (bool): Whether methods with groups are evaluated a second
            time with allocated groups. Defaults to False.

    Raises:
        DataError: It is not.
    """
    names = [FLOAT] if with_float else []
    for spec in specs:
        names.append(run_name(spec))
        if allocated and METHODS[spec.method].grouped:
            method, _, bits = run_name(spec).partition(' ')
            names.append(f'{method}+alloc {bits}')
    reference_pairs(names, reference)
