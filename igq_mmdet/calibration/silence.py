"""Why layers saw no data, and what a user does about it."""

import dis
from collections.abc import Collection, Iterable, Mapping
from fnmatch import fnmatchcase
from types import FunctionType

from torch import nn

from ..modules.base import QuantModule, QuantWeightModule

ASK_FOR_IMAGES = 'use more or other calibration images, or exclude the layer'


def reasons(
    model: nn.Module, layers: Mapping[str, QuantModule]
) -> dict[str, str]:
    """What is known of each layer that was not called.

    Args:
        model (nn.Module): Observed.
        layers (Mapping[str, QuantModule]): Its layers by name.

    Returns:
        dict[str, str]: A half-sentence by name, '' where nothing is known.
    """
    silent = {n for n, layer in layers.items() if not layer.workload.calls}
    found = {}
    for name in silent:
        layer, reason = layers[name], ''
        part = _silent_part(name, silent, layers)
        if isinstance(layer, QuantWeightModule) and layer.weight_reader:
            reason = f'{layer.weight_reader} reads its weight and passes it by'
        elif _in_training_only(model, part):
            reason = f'the model uses {part} in training only'
        found[name] = reason
    return {name: found[name] for name in layers if name in found}


def message(
    silent: Collection[str], why: Mapping[str, str], layers: Collection[str]
) -> str:
    """One line about all layers that saw no data.

    Args:
        silent (Collection[str]): Their names.
        why (Mapping[str, str]): From :func:`reasons`.
        layers (Collection[str]): Every quantized layer.
    """
    known = [name for name in silent if why.get(name)]
    if not known:
        return (
            f'{_some(silent)} saw no data during calibration; {ASK_FOR_IMAGES}'
        )
    by_reason: dict[str, list[str]] = {}
    for name in known:
        by_reason.setdefault(why[name], []).append(name)
    causes = '; '.join(
        f'{_some(names)}: {reason}' for reason, names in by_reason.items()
    )
    exclude = ', '.join(map(repr, patterns(known, silent, layers)))
    rest = [name for name in silent if name not in known]
    then = f'; for {_some(rest)}, {ASK_FOR_IMAGES}' if rest else ''
    return (
        f'layers saw no data during calibration ({causes}); leave them in '
        f'float with exclude=[{exclude}]{then}'
    )


def patterns(
    names: Iterable[str], silent: Collection[str], layers: Collection[str]
) -> list[str]:
    """Few patterns that match these layers and none that saw data.

    Args:
        names (Iterable[str]): Of layers.
        silent (Collection[str]): Layers that patterns may match as well.
        layers (Collection[str]): Every quantized layer.
    """
    found: list[str] = []
    for name in names:
        if any(fnmatchcase(name, pattern) for pattern in found):
            continue
        part = _silent_part(name, silent, layers)
        for pattern in (
            f'{_any_number(part)}.*',
            _any_number(name),
            f'{part}.*',
            name,
        ):
            matched = [n for n in layers if fnmatchcase(n, pattern)]
            if name in matched and set(matched) <= set(silent):
                found.append(pattern)
                break
    return found


def _any_number(name: str) -> str:
    pieces = name.split('.')
    return '.'.join('*' if piece.isdigit() else piece for piece in pieces)


def _silent_part(
    name: str, silent: Collection[str], layers: Iterable[str]
) -> str:
    """The outermost module around a layer none of whose layers was called."""
    heard = [layer for layer in layers if layer not in silent]
    pieces = name.split('.')
    for end in range(1, len(pieces)):
        part = '.'.join(pieces[:end])
        if not any(f'{layer}.'.startswith(f'{part}.') for layer in heard):
            return part
    return name


def _in_training_only(model: nn.Module, part: str) -> bool:
    """Whether all methods around a module that use it are for training.

    Such is a method that computes a loss or asks for ``self.training``.

    Args:
        model (nn.Module): The whole model.
        part (str): Name of the module.
    """
    owner, _, attribute = part.rpartition('.')
    users = []
    for kind in type(model.get_submodule(owner)).__mro__:
        if kind is nn.Module:
            break
        for name, method in vars(kind).items():
            if isinstance(method, FunctionType) and 'init' not in name:
                read = {
                    step.argval
                    for step in dis.get_instructions(method)
                    if step.opname in ('LOAD_ATTR', 'LOAD_METHOD')
                }
                if attribute in read:
                    users.append((name, read))
    return bool(users) and all(
        'loss' in name or 'train' in name or 'training' in read
        for name, read in users
    )


def _some(names: Collection[str]) -> str:
    first = list(names)[:3]
    more = f' and {len(names) - 3} more' if len(names) > 3 else ''
    return ', '.join(first) + more
