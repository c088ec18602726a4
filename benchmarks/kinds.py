"""Where the time of a forward pass goes, by kind of module."""

from collections.abc import Callable
from typing import Any

from mmdet.models.backbones.swin import ShiftWindowMSA, WindowMSA
from torch import nn

from igq_mmdet.modules import QuantShiftWindowMSA, QuantWindowMSA
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
)
REST = 'the rest'


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


class Clock:
    """Exclusive seconds of each kind inside one model.

    Args:
        model (nn.Module): Hooks are put on its modules.
        clock (Callable): Of ``timing.CLOCKS``.
    """

    def __init__(self, model: nn.Module, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.seconds: dict[str, float] = {}
        self._stack: list[list[Any]] = []
        self._handles: list[Any] = []
        for module in model.modules():
            kind = kind_of(module)
            if kind is None:
                continue
            self._handles += [
                module.register_forward_pre_hook(self._enter(kind)),
                module.register_forward_hook(self._leave),
            ]

    def run(self, step: Callable[[], Any]) -> dict[str, float]:
        """Seconds by kind of one call.

        Args:
            step (Callable): Runs the model once.
        """
        self.seconds = {kind: 0.0 for kind, _ in KINDS}
        start = self._clock()
        step()
        total = self._clock() - start
        known = sum(self.seconds.values())
        return {**self.seconds, REST: total - known, 'total': total}

    def close(self) -> None:
        """Takes the hooks off."""
        for handle in self._handles:
            handle.remove()

    def _enter(self, kind: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: Any) -> None:
            self._stack.append([kind, self._clock(), 0.0])

        return hook

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        kind, start, inside = self._stack.pop()
        taken = self._clock() - start
        self.seconds[kind] += taken - inside
        if self._stack:
            self._stack[-1][2] += taken
