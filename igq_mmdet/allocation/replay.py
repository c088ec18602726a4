"""Runs a model again from the block in which something changed.

The blocks before it give back what they gave the first time.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

_LISTS = (nn.ModuleList, nn.ModuleDict)

# what :func:`_axes` says of an output whose copies cannot be laid side by side
_UNKNOWN = 'unknown'


@dataclass
class _Call:
    """What one unit did in the recorded run."""

    started: int
    finished: int
    output: tuple[Any, ...]
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
        axes (dict, optional): Where the copies of an image lie in the
            output of each unit; found by the first :meth:`record` and
            shared by the replays of one model. Defaults to None.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: list[str],
        max_bytes: int = 2 << 30,
        axes: dict[str, Any] | None = None,
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
        self.axes = {} if axes is None else axes
        self._calls: dict[str, _Call] = {}
        self._bytes = 0
        self._clock = 0

    def record(self, run: Callable[[int], Any], copies: int = 1) -> Any:
        """Runs once and keeps what the units put out.

        Args:
            run (Callable): Runs the model on that many copies of an image.
            copies (int): The most copies :meth:`start_at` will be asked
                for. Where that is more than one, a run with two shows
                along which axis of an output they lie. Defaults to 1.

        Returns:
            Any: What ``run`` returned for one copy.
        """
        self._calls, self._bytes, self._clock = {}, 0, 0
        with _replaced(self.units, self._recorder):
            result = run(1)
        if copies > 1 and not self.axes:
            with _replaced(self.units, self._comparer):
                run(2)
        return result

    def reaches(self, layer: str) -> bool:
        """Whether the recorded run came by a layer's block at all.

        Args:
            layer (str): One of the layers given.
        """
        return self._called(layer) is not None

    @contextmanager
    def start_at(self, layer: str, copies: int = 1) -> Iterator[None]:
        """Within this context a run computes only from ``layer`` on.

        Args:
            layer (str): One of the layers given, which :meth:`reaches`.
            copies (int): How many copies of the image the run is given.
        """
        call = self._called(layer)
        assert call is not None, layer
        started = call.started
        before = {
            name: self.units[name]
            for name, call in self._calls.items()
            if call.finished < started and self._kept(name, call, copies)
        }

        def skipper(name: str, _: Callable[..., Any]) -> Callable[..., Any]:
            (output,) = self._calls[name].output
            axes = self.axes.get(name)

            def skip(*args: Any, **kwargs: Any) -> Any:
                return _repeated(output, axes, copies)

            return skip

        with _replaced(before, skipper):
            yield

    def _kept(self, name: str, call: _Call, copies: int) -> bool:
        if call.times != 1 or not call.output:
            return False
        return copies == 1 or self.axes.get(name, _UNKNOWN) != _UNKNOWN

    def _called(self, layer: str) -> _Call | None:
        """The innermost recorded call that the layer was part of."""
        name = self.blocks[layer]
        while name and name not in self._calls:
            name = name.rpartition('.')[0]
        return self._calls.get(name)

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
            kept: tuple[Any, ...] = ()
            if self._bytes + size <= self.max_bytes:
                self._bytes += size
                # a copy: what follows may work in place
                kept = (_repeated(output, None, 1),)
            self._calls[name] = _Call(started, self._tick(), kept)
            return output

        return run

    def _comparer(
        self, name: str, forward: Callable[..., Any]
    ) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            output = forward(*args, **kwargs)
            call = self._calls.get(name)
            if call is not None and call.output:
                self.axes[name] = _axes(call.output[0], output)
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
        of a sequence, else the layer itself.
    """
    path = layer.split('.')
    ancestors = ['.'.join(path[:end]) for end in range(1, len(path))]
    for kinds in (_LISTS, (nn.Sequential,)):
        for name in reversed(ancestors):
            parent = model.get_submodule(name.rpartition('.')[0])
            if isinstance(parent, kinds):
                return name
    return layer


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


def _axes(one: Any, two: Any) -> Any:
    """Where copies lie in an output, from those for one copy and for two.

    Returns:
        int | None | list | dict | str: For a tensor the dimension that
        doubled, None if it stayed as it was (position codes, shapes of
        levels), for a collection one entry each; ``_UNKNOWN`` if anything
        else happened.
    """
    if isinstance(one, Tensor):
        if one.shape == two.shape:
            return None
        grown = [d for d, n in enumerate(one.shape) if two.shape[d] != n]
        doubled = len(grown) == 1 and (
            two.shape[grown[0]] == 2 * one.shape[grown[0]]
        )
        return grown[0] if doubled else _UNKNOWN
    if isinstance(one, dict):
        found = {key: _axes(value, two[key]) for key, value in one.items()}
        return _UNKNOWN if _UNKNOWN in found.values() else found
    if isinstance(one, list | tuple):
        if len(one) != len(two):
            return _UNKNOWN
        each = [_axes(*pair) for pair in zip(one, two, strict=True)]
        return _UNKNOWN if _UNKNOWN in each else each
    return None


def _repeated(value: Any, axes: Any, copies: int) -> Any:
    """A copy of an output, as if made of ``copies`` images."""
    if isinstance(value, Tensor):
        if axes is None or copies == 1:
            return value.clone()
        times = [1] * value.dim()
        times[axes] = copies
        return value.repeat(times)
    if isinstance(value, dict):
        return {
            key: _repeated(item, axes and axes[key], copies)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        each = axes or [None] * len(value)
        items = [
            _repeated(item, axis, copies)
            for item, axis in zip(value, each, strict=True)
        ]
        if hasattr(value, '_fields'):  # a named tuple
            return type(value)(*items)
        return type(value)(items)
    return value


def _bytes(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.nbytes
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return sum(_bytes(item) for item in value)
    return 0
