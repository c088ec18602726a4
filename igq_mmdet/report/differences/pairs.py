"""Which setting each one is compared with."""

import re
from collections.abc import Iterable

from ...errors import DataError

FLOAT = 'float'


def reference_pairs(
    settings: Iterable[str], reference: str | None = None
) -> dict[str, str]:
    """The reference of every setting that has one.

    Args:
        settings (Iterable[str]): Names such as ``igq:8 W4A4``, maybe with
            more after a comma; ``float`` if it was evaluated.
        reference (str, optional): ``float``; a whole name; or a method such
            as ``layerwise`` or ``igq:8``, which stands for that of the same
            bits. By default the first setting of the same bits, and float for
            one that is alone. Where several would do, one that was calibrated
            and executed alike comes first.

    Returns:
        dict[str, str]: Reference by setting, in the order of settings; what
        is compared with nothing, as the reference itself, is left out.

    Raises:
        DataError: There is no such setting.
    """
    names = list(dict.fromkeys(settings))
    others = [name for name in names if name != FLOAT]
    if reference is not None and not any(
        reference in (name, _parts(name)[0]) for name in names
    ):
        raise DataError(
            f'--reference: {reference!r} is not evaluated; choose one of '
            f'{", ".join(names)}, or a method among them'
        )
    found = {}
    for name in others:
        other = _reference(name, names, reference)
        if other is not None and other != name:
            found[name] = other
    return found


def _reference(
    name: str, names: list[str], reference: str | None
) -> str | None:
    if reference in names:
        return reference
    _, bits, rest = _parts(name)
    same = [
        x
        for x in names
        if x != FLOAT
        and _parts(x)[1] == bits
        and reference in (None, _parts(x)[0])
    ]
    alike = [x for x in same if _parts(x)[2] == rest]
    if reference is not None:
        return next(iter(alike + same), None)
    group = alike if len(alike) > 1 else same
    if len(group) > 1:
        return group[0]
    return FLOAT if FLOAT in names else None


def _parts(name: str) -> tuple[str, str, str]:
    """Method, bits and what follows; other names have only the first."""
    match = re.match(r'(\S+) (W\d+A\d+)', name)
    if match is None:
        return name, '', ''
    return match[1], match[2], name[match.end() :]
