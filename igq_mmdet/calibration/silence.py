"""Why layers saw no data, and what a user does about it."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from torch import nn

from ..modules.base import QuantModule
from ..modules.weight_module import QuantWeightModule
from .training_only import training_only

NAMED = 3  # layers that a message names before it counts


def reasons(
    model: nn.Module, layers: Mapping[str, QuantModule]
) -> dict[str, str]:
    """What is known of each layer that was not called.

    Args:
        model (nn.Module): Still observed.
        layers (Mapping[str, QuantModule]): Its layers by name.

    Returns:
        dict[str, str]: By name; layers of which nothing is known are not
        there.
    """
    silent = [n for n, layer in layers.items() if not layer.workload.calls]
    trained = training_only(model) if silent else set()
    heard = set(layers) - set(silent)
    found = {}
    for name in silent:
        layer = layers[name]
        for part in (*_silent_parts(name, heard), name):
            if part.rpartition('.')[2] in trained:
                found[name] = f'the model uses {part} in training only'
                break
        if isinstance(layer, QuantWeightModule) and layer.weight_reader:
            function, _, path = layer.weight_reader[:-1].partition(' (')
            path = '/'.join(Path(path).parts[-3:])
            found[name] = (
                f'{function} ({path}) reads the weight and does not call '
                'the layer'
            )
    return found


def message(
    silent: Collection[str], why: Mapping[str, str], layers: Collection[str]
) -> str:
    """One line about all layers that saw no data.

    Args:
        silent (Collection[str]): Their names.
        why (Mapping[str, str]): From :func:`reasons`.
        layers (Collection[str]): Every quantized layer.
    """
    by_reason: dict[str, list[str]] = {}
    for name in silent:
        by_reason.setdefault(why.get(name, ''), []).append(name)
    unknown = by_reason.pop('', [])
    said = [
        f'{_some(names)} saw no data during calibration, for {reason}'
        for reason, names in by_reason.items()
    ]
    if said:
        known = [name for name in silent if name in why]
        exclude = ', '.join(map(repr, patterns(known, silent, layers)))
        said.append(f'leave them in float with exclude=[{exclude}]')
    if unknown:
        said.append(
            f'{_some(unknown)} saw no data during calibration; use more or '
            'other calibration images, or exclude the layer'
        )
    return '; '.join(said)


def patterns(
    names: Iterable[str], silent: Collection[str], layers: Collection[str]
) -> list[str]:
    """Few patterns that match these layers and none that saw data.

    Args:
        names (Iterable[str]): Of layers.
        silent (Collection[str]): Layers that patterns may match as well.
        layers (Collection[str]): Every quantized layer.
    """
    heard = set(layers) - set(silent)
    found: list[str] = []
    for name in names:
        if any(fnmatchcase(name, pattern) for pattern in found):
            continue
        wider = [f'{part}.*' for part in _silent_parts(name, heard)] + [name]
        for pattern in (*map(_any_number, wider), *wider):
            if fnmatchcase(name, pattern) and not any(
                fnmatchcase(other, pattern) for other in heard
            ):
                found.append(pattern)
                break
    return found


def _any_number(name: str) -> str:
    pieces = name.split('.')
    return '.'.join('*' if piece.isdigit() else piece for piece in pieces)


def _silent_parts(name: str, heard: Collection[str]) -> Iterator[str]:
    """The modules around a layer none of whose layers was called."""
    pieces = name.split('.')
    for end in range(1, len(pieces)):
        part = '.'.join(pieces[:end])
        if not any(f'{layer}.'.startswith(f'{part}.') for layer in heard):
            yield part


def _some(names: Collection[str]) -> str:
    first = ', '.join(list(names)[:NAMED])
    rest = len(names) - NAMED
    return f'{first} and {rest} more' if rest > 0 else first
