"""Watches the matrix products of a model as torch dispatches them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from ..modules.base import QuantModule, Workload
from ..modules.swap import quantized_layers
from ..modules.weight_module import QuantWeightModule

# product -> positions of the two operands that are multiplied
PRODUCTS: dict[str, tuple[int, int]] = {
    'aten::mm': (0, 1),
    'aten::bmm': (0, 1),
    'aten::mv': (0, 1),
    'aten::dot': (0, 1),
    'aten::linear': (0, 1),
    'aten::matmul': (0, 1),
    'aten::_int_mm': (0, 1),
    'aten::addmm': (1, 2),
    'aten::addmv': (1, 2),
    'aten::addbmm': (1, 2),
    'aten::baddbmm': (1, 2),
    'aten::_addmm_activation': (1, 2),
}
CONVOLUTIONS = (
    'aten::convolution',
    'aten::_convolution',
    'aten::mkldnn_convolution',
    'aten::convolution_overrideable',
    'torchvision::deform_conv2d',
)
# several products in one, with a softmax in the middle; never quantized
FUSED = (
    'aten::_scaled_dot_product',
    'aten::scaled_dot_product',
    'aten::_native_multi_head_attention',
    'aten::_transformer_encoder_layer_fwd',
)
# operations whose output holds values of their input, maybe scaled by one
# number: what was quantized stays so
SELECTING = (
    'aten::clone',
    'aten::_to_copy',
    'aten::copy_',
    'aten::index_select',
    'aten::index',
    'aten::gather',
    'aten::cat',
    'aten::stack',
    'aten::constant_pad_nd',
    'aten::roll',
    'aten::repeat',
    'aten::flip',
    'aten::im2col',
    'aten::mul',
    'aten::mul_',
    'aten::div',
    'aten::neg',
)
Mark = tuple[str, bool]  # layer whose quantizer it was, is it a weight


@dataclass(frozen=True)
class Product:
    """One matrix product.

    Args:
        owner (str): Name of the innermost module at work.
        op (str): How torch calls it.
        kind (str): ``linear``, ``conv``, ``softmax`` or ``product``.
        macs (float): Multiply-accumulates.
        quantized (bool): Whether the layer at work quantized every
            operand.
    """

    owner: str
    op: str
    kind: str
    macs: float
    quantized: bool


class _Marks:
    """Facts about storages, forgotten when a storage is freed."""

    def __init__(self) -> None:
        self._facts: dict[int, tuple[StorageWeakRef, Any]] = {}

    def set(self, tensor: Tensor, fact: Any) -> None:
        storage = StorageWeakRef(tensor.untyped_storage())
        self._facts[storage.cdata] = (storage, fact)

    def get(self, tensor: Any) -> Any:
        if not isinstance(tensor, Tensor):
            return None
        found = self._facts.get(tensor.untyped_storage()._cdata)
        return None if found is None or found[0].expired() else found[1]

    def drop(self, tensor: Tensor) -> None:
        self._facts.pop(tensor.untyped_storage()._cdata, None)


class _Silent:
    """An observer that keeps nothing."""

    def update(self, x: Tensor) -> None:
        pass


class Trace(TorchDispatchMode):
    """Collects the products of everything a model does inside ``with``.

    Quantizers are watched, not run: they see values and let them through,
    as in calibration.

    Args:
        model (nn.Module): A quantized model.

    Attributes:
        products (list[Product]): In order of execution.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.products: list[Product] = []
        self._stack = ['']
        self._quantized = _Marks()
        self._softmax = _Marks()
        self._weights = _Marks()
        self._scope = ExitStack()

    def __enter__(self) -> 'Trace':
        for parameter in self.model.parameters():
            self._weights.set(parameter, True)
        self._scope.enter_context(self._watching())
        super().__enter__()
        return self

    def __exit__(self, *args: Any) -> None:
        super().__exit__(*args)
        self._scope.close()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = func._schema.name
        if name in PRODUCTS or name in CONVOLUTIONS or name.startswith(FUSED):
            out = func(*args, **(kwargs or {}))
            self._product(name, args, out)
            return out
        out = func(*args, **(kwargs or {}))
        if name in ('aten::_softmax', 'aten::_safe_softmax'):
            self._softmax.set(out, True)
        elif isinstance(out, Tensor):
            self._pass_on(func, name, args, out)
        return out

    def _pass_on(self, func: Any, name: str, args: Any, out: Tensor) -> None:
        selecting = name in SELECTING and _one_number(name, args)
        if selecting:
            sources = list(_values(args))
            if name == 'aten::copy_':
                sources = sources[1:]
            for marks in (self._quantized, self._softmax, self._weights):
                facts = [marks.get(source) for source in sources]
                if facts and all(fact is not None for fact in facts):
                    marks.set(out, facts[0])
                elif func._schema.is_mutable:
                    marks.drop(out)
        elif func._schema.is_mutable:
            self._quantized.drop(out)

    def _product(self, name: str, args: Any, out: Any) -> None:
        owner = self._stack[-1]
        op = name.partition('::')[2]
        if name.startswith(FUSED):
            macs = 2.0 * args[0].numel() * args[1].shape[-2]
            self.products.append(Product(owner, op, 'softmax', macs, False))
            return
        first, second = PRODUCTS.get(name, (0, 1))
        operands = (args[first], args[second])
        marks = [self._quantized.get(operand) for operand in operands]
        owners = {self._layer(owner, mark) for mark in marks}
        quantized = len(owners) == 1 and None not in owners
        if quantized:
            owner = owners.pop() or ''
        if name in CONVOLUTIONS:
            kind = 'conv'
        elif any(self._softmax.get(x) for x in operands):
            kind = 'softmax'
        elif any(self._weights.get(x) for x in operands):
            kind = 'linear'
        else:
            kind = 'product'
        macs = _macs(name, args, operands, out)
        self.products.append(Product(owner, op, kind, macs, quantized))

    def _layer(self, owner: str, mark: Mark | None) -> str | None:
        """The layer that quantized an operand, if it is the one at work.

        An attention may be run by a module around it; a layer with a
        weight quantizes for itself alone.
        """
        if mark is None:
            return None
        layer, alone = mark
        if layer == owner:
            return layer
        around = layer.startswith(f'{owner}.') or owner == ''
        return layer if around and not alone else None

    @contextmanager
    def _watching(self) -> Iterator[None]:
        handles: list[Any] = []
        layers = quantized_layers(self.model)
        states = {name: q.workload for name, q in layers.items()}
        try:
            for name, module in self.model.named_modules():
                enter = partial(self._enter, name)
                handles += [
                    module.register_forward_pre_hook(enter),
                    module.register_forward_hook(
                        self._leave, always_call=True
                    ),
                ]
            for name, layer in layers.items():
                handles += self._watch(name, layer)
            yield
        finally:
            for handle in handles:
                handle.remove()
            for name, layer in layers.items():
                layer.observing, layer.workload = False, states[name]
                layer.__dict__.pop('effective_weight', None)
                for quantizer in layer.quantizers().values():
                    quantizer.observer = None

    def _watch(self, name: str, layer: QuantModule) -> Iterable[Any]:
        layer.observing, layer.workload = True, Workload()
        alone = isinstance(layer, QuantWeightModule)
        for quantizer in layer.quantizers().values():
            quantizer.observer = _Silent()
            yield quantizer.register_forward_hook(
                partial(self._see, (name, alone))
            )
        if isinstance(layer, QuantWeightModule):
            layer.__dict__['effective_weight'] = partial(
                self._see_weight, name, layer.effective_weight
            )

    def _enter(self, name: str, module: nn.Module, args: Any) -> None:
        self._stack.append(name)

    def _leave(self, module: nn.Module, args: Any, out: Any) -> None:
        self._stack.pop()

    def _see(self, mark: Mark, module: nn.Module, args: Any, out: Any) -> None:
        self._quantized.set(args[0], mark)
        self._quantized.set(out, mark)

    def _see_weight(self, name: str, weight: Callable[[], Tensor]) -> Tensor:
        value = weight()
        self._quantized.set(value, (name, True))
        self._weights.set(value, True)
        return value


def _values(args: Any) -> Iterator[Tensor]:
    """Tensors of values: no indices, no single numbers."""
    for item in args:
        if isinstance(item, list | tuple):
            yield from _values(item)
        elif isinstance(item, Tensor) and item.dim():
            if item.is_floating_point():
                yield item


def _one_number(name: str, args: Any) -> bool:
    """Whether a product of elements, if it is one, is by one number."""
    if name not in ('aten::mul', 'aten::mul_', 'aten::div'):
        return True
    return not isinstance(args[1], Tensor) or args[1].dim() == 0


def _macs(name: str, args: Any, operands: Any, out: Tensor) -> float:
    x, weight = operands
    if name not in CONVOLUTIONS:
        return float(out.numel() * x.shape[-1])
    transposed = name == 'aten::convolution' and args[6]
    kernel = torch.Size(weight.shape[1:]).numel()
    return float((x if transposed else out).numel() * kernel)
