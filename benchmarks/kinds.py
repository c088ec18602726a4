"""Where the time of a forward pass goes, by part and kind of module."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from mmdet.models.backbones.swin import ShiftWindowMSA, WindowMSA
from mmdet.models.roi_heads.roi_extractors import BaseRoIExtractor
from torch import nn

from igq_mmdet.modules import QuantShiftWindowMSA, QuantWindowMSA
from igq_mmdet.modules.plan import part_of
from igq_mmdet.quantizers import ActivationQuantizer

# the first that fits; time goes to the innermost kind
KINDS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ('fully connected', (nn.Linear,)),
    ('convolution', (nn.Conv2d, nn.ConvTranspose2d)),
    (
        'windows and attention',
        (ShiftWindowMSA, WindowMSA, QuantShiftWindowMSA, QuantWindowMSA),
    ),
    ('LayerNorm', (nn.LayerNorm,)),
    ('GELU', (nn.GELU,)),
    ('RoI pooling', (BaseRoIExtractor,)),
)
REST = 'the rest'
BETWEEN = 'between the parts'  # proposals, detections, masks to the image
TOTAL = 'total'

Seconds = dict[tuple[str, str], float]


def kind_of(module: nn.Module) -> str | None:
    """The kind of a module, or None if it is counted with its parent."""
    if isinstance(module, ActivationQuantizer):
        return None
    name = type(module).__name__
    if name.endswith('Linear'):  # QuantLinear, IntegerLinear
        return 'fully connected'
    if name.endswith(('Conv2d', 'ConvTranspose2d')):
        return 'convolution'
    for kind, classes in KINDS:
        if isinstance(module, classes):
            return kind
    return None


class Profile:
    """Exclusive seconds of each part and kind inside one model.

    Args:
        model (nn.Module): A detector; hooks are put on its modules.
        clock (Callable): Of ``timing.CLOCKS``.
    """

    def __init__(self, model: nn.Module, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._seconds: Seconds = {}
        self._stack: list[list[Any]] = []
        self._handles: list[Any] = []
        for key, module in _measured(model):
            self._handles += [
                module.register_forward_pre_hook(self._enter(key)),
                module.register_forward_hook(self._leave),
            ]

    def run(self, step: Callable[[], Any]) -> Seconds:
        """Seconds by part and kind of one call.

        Args:
            step (Callable): Runs the model once.
        """
        self._seconds = {}
        start = self._clock()
        step()
        total = self._clock() - start
        known = sum(self._seconds.values())
        return {**self._seconds, (BETWEEN, REST): total - known}

    def close(self) -> None:
        """Takes the hooks off."""
        for handle in self._handles:
            handle.remove()

    def _enter(self, key: tuple[str, str]) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any) -> None:
            self._stack.append([key, self._clock(), 0.0])

        return hook

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        key, start, inside = self._stack.pop()
        taken = self._clock() - start
        self._seconds[key] = self._seconds.get(key, 0.0) + taken - inside
        if self._stack:
            self._stack[-1][2] += taken


def _measured(
    model: nn.Module,
) -> Iterator[tuple[tuple[str, str], nn.Module]]:
    """Modules with their part and kind; a kind owns what is inside it."""
    owners: list[str] = []
    for name, module in model.named_modules():
        kind = kind_of(module)
        if kind is not None:
            owners.append(name + '.')
        elif not name or name.startswith(tuple(owners)):
            continue
        yield (part_of(name, True), kind or REST), module


def totals(
    runs: Sequence[Mapping[tuple[str, str], float]],
    by: int,
    part: str | None = None,
) -> dict[str, list[float]]:
    """Seconds summed by part or by kind, one value a run.

    Args:
        runs (Sequence[Mapping]): From :meth:`Profile.run`.
        by (int): 0 for parts, 1 for kinds.
        part (str, optional): Count this part alone.

    Returns:
        dict[str, list[float]]: In the order they are met, with a total.
    """
    found: dict[str, list[float]] = {}
    for number, run in enumerate(runs):
        for key, taken in run.items():
            if part is not None and key[0] != part:
                continue
            for name in (key[by], TOTAL):
                row = found.setdefault(name, [0.0] * len(runs))
                row[number] += taken
    found[TOTAL] = found.pop(TOTAL)
    return found
