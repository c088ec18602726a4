"""How two float computations of one quantized model are compared.

Float sums differ in their last bits with the batch, the number of threads
and the processor. A value on a rounding edge then takes one code or its
neighbour, and a deep network makes any difference of that: outputs alone
say nothing. What must hold is that layers which get the same floats have
the same codes, so :func:`each_alone` gives them the same, layer by layer.
"""

from collections import Counter, defaultdict
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from igq_mmdet.modules import QuantLinear
from igq_mmdet.modules.attention.attention import QuantAttention
from igq_mmdet.modules.weight_module import QuantWeightModule

# What the order of sums may change, of the largest value: in the output of
# one layer, and by the float operations between two layers.
SUM, BETWEEN = 1e-5, 1e-4
# The share of values that a code beside its edge may change between two.
FEW = 1e-3


@dataclass
class Call:
    """Inputs of one call of a layer, its first input quantized, outputs."""

    inputs: tuple
    quantized: torch.Tensor | None
    outputs: tuple


def each_alone(model, run, batch, singles):
    """Runs a batch, then its images on what the layers got in the batch.

    Args:
        model (nn.Module): Quantized and calibrated.
        run (Callable): Computes with it.
        batch (Any): What ``run`` takes, several images.
        singles (Sequence): The same, image by image.

    Returns:
        tuple: What ``run`` gave for the batch, and a list of what it gave
        for each image. Codes were equal and what reached a layer was what
        it got in the batch but for rounding, or AssertionError.
    """
    with torch.no_grad():
        with recorded(model) as calls:
            together = run(batch)
        assert calls, 'no quantized layer ran'
        used, alone = Counter(), []
        for single in singles:
            with _given(model, calls, used):
                alone.append(run(single))
    return together, alone


def near(found, wanted, part, few=0.0, name='output'):
    """No value differs by more than ``part`` of the largest, or ``few``."""
    assert found.shape == wanted.shape, f'{name}: another shape'
    if not wanted.numel():
        return
    limit = part * wanted.abs().masked_fill(wanted.isinf(), 0).max()
    # a mask holds infinities, whose difference is no number
    apart = (found != wanted) & ~((found - wanted).abs() <= limit)
    share = apart.double().mean().item()
    assert share <= few, f'{name}: {share:.2%} of the values differ'


@contextmanager
def recorded(model):
    """Collects every :class:`Call` of every layer with a weight, by name.

    What an attention multiplies counts as a layer, ``<name>.attend``.
    """
    calls = defaultdict(list)

    def make(name, layer, compute, count):
        def run(*args, **kwargs):
            kept = tuple(map(_copy, args[:count]))
            out = compute(*args, **kwargs)
            outputs = tuple(map(_copy, _each(out)))
            calls[name].append(Call(kept, _quantized(layer, *kept), outputs))
            return out

        return run

    with _replaced(model, make):
        yield calls


@contextmanager
def _given(model, calls, used):
    """Within it layers get what they got in a batch, image after image.

    Args:
        model (nn.Module): Quantized.
        calls (dict[str, list[Call]]): Of the batch.
        used (Counter): Rows of each call that belong to images before.
    """
    seen = Counter()

    def make(name, layer, compute, count):
        def run(*args, **kwargs):
            assert seen[name] < len(calls[name]), f'{name}: one more call'
            call, key = calls[name][seen[name]], (name, seen[name])
            seen[name] += 1
            taken = 0

            def share(whole, like):
                nonlocal taken
                axis = _images_axis(whole, like, name)
                if axis is None:
                    return whole
                taken = like.shape[axis]
                return whole.narrow(axis, used[key], taken)

            inputs = tuple(map(share, call.inputs, args))
            for found, wanted in zip(args, inputs, strict=False):
                if isinstance(found, torch.Tensor):
                    near(found, wanted, BETWEEN, FEW, f'input of {name}')
            out = compute(*inputs, *args[count:], **kwargs)
            own = _quantized(layer, *inputs)
            if own is not None:
                equal = torch.equal(own, share(call.quantized, own))
                assert equal, f'{name}: other codes of the same input'
            outputs = tuple(map(share, call.outputs, _each(out)))
            few = FEW if own is None else 0.0
            for found, wanted in zip(_each(out), outputs, strict=True):
                near(found, wanted, SUM, few, f'output of {name}')
            used[key] += taken
            return outputs if isinstance(out, tuple) else outputs[0]

        return run

    with _replaced(model, make):
        yield
    missing = [name for name in calls if seen[name] != len(calls[name])]
    assert not missing, f'not called as often: {missing}'


@contextmanager
def _replaced(model, make):
    """Gives layers another ``forward``, attentions another ``attend``."""
    places = []
    for name, layer in model.named_modules():
        if isinstance(layer, QuantWeightModule):
            places.append((name, layer, 'forward', 1))
        elif isinstance(layer, QuantAttention):
            places.append((f'{name}.attend', layer, 'attend', 5))
    for name, layer, method, count in places:
        compute = getattr(layer, method)
        layer.__dict__[method] = make(name, layer, compute, count)
    try:
        yield
    finally:
        for _, layer, method, _ in places:
            del layer.__dict__[method]


def _images_axis(whole, like, name):
    """Where images follow each other; None where there is nothing to cut."""
    if not isinstance(whole, torch.Tensor) or whole.shape == like.shape:
        return None
    axes = [d for d, n in enumerate(whole.shape) if like.shape[d] != n]
    assert len(axes) == 1, f'{name}: {like.shape} is no part of {whole.shape}'
    return axes[0]


def _quantized(layer, x, *_):
    """The input of a layer as multiples of its steps."""
    if isinstance(layer, QuantLinear):
        return layer.quantize_input(x)
    if isinstance(layer, QuantWeightModule):
        return layer.input_quantizer(x)
    return None


def _copy(x):
    return x.clone() if isinstance(x, torch.Tensor) else x


def _each(out):
    return out if isinstance(out, tuple) else (out,)
