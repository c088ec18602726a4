"""Runs a model again from the block in which something changed.

The blocks before it give back what they gave the first time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

_LISTS = (nn.ModuleList, nn.ModuleDict)


@dataclass
class _Call:
    """What one unit did in the recorded run."""

    started: int
    finished: int
    output: Any
    times: int = 1


class Replay:
    """Records the outputs of blocks, then skips those before a layer.

    Units are the blocks of a network (children of module lists or
    sequences that hold a layer of interest) and what stands beside them
    and beside their ancestors. A unit that is called more than once in a
    run is never skipped.

    Args:
        model (nn.Module): The model that is run.
        layers (list[str]): Names of the layers that are going to change.
        max_bytes (int): Bound on the outputs kept; what does not fit is
            computed again. Defaults to 2 GiB.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: list[str],
        max_bytes: int = 2 << 30,
    ) -> None:
        self.model = model
        self.max_bytes = max_bytes
        self.blocks = {layer: block_of(model, layer) for layer in layers}
        names = dict.fromkeys(
            unit
            for block in self.blocks.values()
            for unit in _units_along(model, block)
        )
        self.units = {name: model.get_submodule(name) for name in names}
        self._calls: dict[str, _Call] = {}
        self._bytes = 0
        self._clock = 0

    def record(self, run: Callable[[], Any]) -> Any:
        """Runs once and keeps what the units put out.

        Args:
            run (Callable): Runs the model on one image.

        Returns:
            Any: What ``run`` returned.
        """
        self._calls, self._bytes, self._clock = {}, 0, 0
        with _replaced(self.units, self._recorder):
            return run()

    @contextmanager
    def start_at(self, layer: str, copies: int = 1) -> Iterator[None]:
        """Within this context a run computes only from ``layer`` on.

        Args:
            layer (str): One of the layers given.
            copies (int): How many copies of the image the run is given;
                recorded outputs are repeated along dimension 0.
        """
        block = self.blocks[layer]
        started = self._calls[block].started
        before = {
            name: self.units[name]
            for name, call in self._calls.items()
            if call.finished < started and call.times == 1 and call.output
        }

        def skipper(name: str, _: Callable[..., Any]) -> Callable[..., Any]:
            kept = self._calls[name].output

            def skip(*args: Any, **kwargs: Any) -> Any:
                return _repeated(kept[0], copies)

            return skip

        with _replaced(before, skipper):
            yield

    def _recorder(
        self, name: str, forward: Callable[..., Any]
    ) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            started = self._tick()
            output = forward(*args, **kwargs)
            if name in self._calls:
                self._calls[name].times += 1
                self._calls[name].output = ()
                return output
            size = _bytes(output)
            kept: Any = ()
            if self._bytes + size <= self.max_bytes:
                self._bytes += size
                kept = (output,)
            self._calls[name] = _Call(started, self._tick(), kept)
            return output

        return run

    def _tick(self) -> int:
        self._clock += 1
        return self._clock


def block_of(model: nn.Module, layer: str) -> str:
    """The block a layer belongs to.

    Args:
        model (nn.Module): The model.
        layer (str): Dotted name of the layer.

    Returns:
        str: The innermost ancestor that is an entry of a module list, else
        of a sequence, else the module that runs the layer.
    """
    path = layer.split('.')
    ancestors = ['.'.join(path[:end]) for end in range(1, len(path))]
    for kinds in (_LISTS, (nn.Sequential,)):
        for name in reversed(ancestors):
            parent = model.get_submodule(name.rpartition('.')[0])
            if isinstance(parent, kinds):
                return name
    runs = [
        name
        for name in ancestors
        if not isinstance(model.get_submodule(name), _LISTS)
    ]
    return runs[-1] if runs else layer


def _units_along(model: nn.Module, block: str) -> Iterator[str]:
    """Everything that runs beside the block or one of its ancestors."""
    path = block.split('.')
    for end in range(len(path)):
        ancestor = '.'.join(path[:end])
        yield from _children(model.get_submodule(ancestor), ancestor)


def _children(module: nn.Module, name: str) -> Iterator[str]:
    for key, child in module.named_children():
        full = f'{name}.{key}'.lstrip('.')
        if isinstance(child, _LISTS):
            yield from _children(child, full)
        else:
            yield full


@contextmanager
def _replaced(
    modules: dict[str, nn.Module],
    make: Callable[[str, Callable[..., Any]], Callable[..., Any]],
) -> Iterator[None]:
    """Gives modules another ``forward`` for a while."""
    with ExitStack() as stack:
        for name, module in modules.items():
            own = module.__dict__.get('forward')
            forward = module.forward
            module.__dict__['forward'] = make(name, forward)
            stack.callback(_restore, module, own)
        yield


def _restore(module: nn.Module, own: Callable[..., Any] | None) -> None:
    if own is None:
        del module.__dict__['forward']
    else:
        module.__dict__['forward'] = own


def _repeated(value: Any, copies: int) -> Any:
    if isinstance(value, Tensor) and value.dim():
        return value.repeat(copies, *(1,) * (value.dim() - 1))
    if isinstance(value, list | tuple):
        return type(value)(_repeated(item, copies) for item in value)
    if isinstance(value, dict):
        return {key: _repeated(item, copies) for key, item in value.items()}
    return value


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return sum(_bytes(item) for item in value)
    return 0
