"""Hands tensors that C cannot read to all that calls the kernels.

Run in a process of its own, for a fault ends it: ``python -m
tests.kernels.odd_tensors SEED TRIALS``. The last line of its output names
the trial that it began last.
"""

import logging
import sys
import warnings
from random import Random

import torch
import torch.fx.experimental.proxy_tensor
import torch.utils.flop_counter
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode

from igq_mmdet.errors import IGQError
from igq_mmdet.kernels import library
from igq_mmdet.kernels.call import ARGUMENTS, COUNT, address
from igq_mmdet.modules import QuantConv2d, QuantLinear
from igq_mmdet.modules.base import LayerConfig
from igq_mmdet.modules.layers.grouped_product import grouped_product
from igq_mmdet.modules.layers.rescale import rescale
from igq_mmdet.quantizers import (
    ChannelGroupQuantizer,
    RowGroupQuantizer,
    dequantize_weight,
    fake_quantize,
    softmax_codes,
)
from igq_mmdet.quantizers.uniform import column_bounds
from igq_mmdet.runtime.conv import IntegerConv2d
from igq_mmdet.runtime.linear import IntegerLinear

# what torch and the package raise for input that cannot be computed with
REFUSALS = (IGQError, RuntimeError, ValueError, TypeError, IndexError)


class Subclass(Tensor):
    """A tensor of another class, with memory like any."""


def _shrunk(x):
    x = x.clone()
    x.untyped_storage().resize_(x.untyped_storage().nbytes() // 2)
    return x


def _freed(x):
    x = x.clone()
    x.untyped_storage().resize_(0)
    return x


def _spread(x):
    wide = torch.zeros(*x.shape, 3, dtype=x.dtype)
    wide[..., 1] = x
    return wide[..., 1]


def _shifted(x):
    flat = torch.zeros(x.numel() + 1, dtype=x.dtype)
    flat[1:] = x.flatten()
    return flat[1:].view(x.shape)


def _inference(x):
    with torch.inference_mode():
        return x.clone()


def _fake(x):
    return FakeTensorMode().from_tensor(x)


# The same values held otherwise: the answer must be the same, if there is
# one.
SAME = {
    'as it is': lambda x: x,
    'spread': _spread,
    'shifted': _shifted,
    'transposed': lambda x: x.transpose(0, -1).contiguous().transpose(0, -1),
    'negative bit': lambda x: torch._neg_view(-x),
    'subclass': lambda x: x.as_subclass(Subclass),
    'parameter': lambda x: (
        nn.Parameter(x) if x.is_floating_point() else x.clone()
    ),
    'inference': _inference,
    'channels last': lambda x: (
        x.to(memory_format=torch.channels_last) if x.dim() == 4 else x
    ),
}
# Other values, or none: refused or computed with, but never a crash.
OTHER = {
    'double': Tensor.double,
    'half': Tensor.half,
    'bfloat16': Tensor.bfloat16,
    'integers': Tensor.int,
    'meta': lambda x: x.to('meta'),
    'sparse': Tensor.to_sparse,
    'fake': _fake,
    'functional': torch._to_functional_tensor,
    'zero tensor': lambda x: torch._efficientzerotensor(x.shape),
    'nested': lambda x: torch.nested.nested_tensor(list(x.float())),
    'expanded': lambda x: x[:1].expand(x.shape),
    'flat': Tensor.flatten,
    'deep': lambda x: x[None, None, None, None],
    'longer': lambda x: torch.cat([x, x]),
    'shorter': lambda x: x[:-1],
    'narrower': lambda x: x[..., :-1],
    'empty': lambda x: x[:0],
    'number': lambda x: x.flatten()[0],
}
# torch itself reads memory that is gone
GONE = {'freed': _freed, 'shrunk': _shrunk}


def _config():
    return LayerConfig('fc', 'model', 'igq', 4, 4, 3, False, (0.0,))


def _layer(kind, *shape):
    layer = kind.from_float(
        nn.Linear(*shape) if kind is QuantLinear else nn.Conv2d(*shape),
        _config(),
    )
    quantizer = layer.input_quantizer
    bound = torch.linspace(1, 3, quantizer.groups)
    quantizer.set_bounds(-bound, bound)
    layer.freeze()
    return layer


def entries():
    """Name, function and good arguments of every way to the kernels."""
    draw = torch.Generator().manual_seed(0)

    def rand(*shape):
        return torch.rand(*shape, generator=draw) * 4 - 2

    bound = torch.linspace(1, 2, 3)
    channels, rows = ChannelGroupQuantizer(4, 3), RowGroupQuantizer(4, 3)
    channels.set_bounds(-bound, bound)
    rows.set_bounds(bound * 0, bound / 2)
    codes = torch.randint(0, 16, (5, 7), dtype=torch.uint8, generator=draw)
    column = rand(5, 1).abs() + 0.1
    linear, conv = _layer(QuantLinear, 7, 5), _layer(QuantConv2d, 3, 4, 3)

    def values(x, scale, zero, out):
        return fake_quantize(x, scale, zero, 4, out)

    def softmax(scores, first, second):
        # as every caller: scores are its own
        scores = scores.clone()
        return scores, softmax_codes(scores, 0.5, rows, first, second)

    def scaled(sums, scale, bias):
        return rescale(sums.clone(), scale, bias, -1)

    def grouped(x, codes, scale, zero, bias, out):
        weight = codes, scale, zero
        x, out = x[None], out[None]
        return grouped_product(x, x, channels, weight, bias, out)[0]

    for width in (7, 1):
        scale = rand(width).abs() + 0.1
        yield 'values', values, [rand(6, 7), scale, -scale, rand(6, 7)]
    yield 'values by row', values, [rand(5, 7), column, -column, rand(5, 7)]
    yield 'column_bounds', column_bounds, [rand(6, 7)]
    yield 'softmax', softmax, [rand(2, 3, 5, 7), rand(3, 5, 7), rand(5, 7)]
    yield 'weight_values', dequantize_weight, [codes, column, column.round()]
    yield (
        'weight_values, out',
        dequantize_weight,
        [codes, column, column.round(), rand(5, 7)],
    )
    yield 'rescale', scaled, [rand(6, 7), rand(7), rand(7)]
    yield (
        'grouped_values',
        grouped,
        [rand(6, 7), codes, column, column.round(), rand(5), rand(6, 5)],
    )
    for layer in (linear, IntegerLinear.from_quantized(linear)):
        yield type(layer).__name__, layer, [rand(2, 6, 7)]
    for layer in (conv, IntegerConv2d.from_quantized(conv)):
        yield type(layer).__name__, layer, [rand(2, 3, 8, 8)]


MODES = {
    'plain': lambda run, args: run(*args),
    'trace': lambda run, args: torch.jit.trace(
        run, tuple(args), check_trace=False
    ),
    'make_fx': lambda run, args: torch.fx.experimental.proxy_tensor.make_fx(
        run, tracing_mode='fake'
    )(*args),
    'functionalize': lambda run, args: torch.func.functionalize(run)(*args),
    'vmap': lambda run, args: torch.vmap(run)(*(x[None] for x in args)),
    'grad': lambda run, args: torch.func.vjp(run, *args),
    'dispatch mode': lambda run, args: _counted(run, args),
}


def _counted(run, args):
    with torch.utils.flop_counter.FlopCounterMode(display=False):
        return run(*args)


def _equal(found, wanted):
    if isinstance(found, Tensor):
        found, wanted = (found,), (wanted,)
    return all(
        torch.allclose(a, b, rtol=1e-5, atol=1e-5, equal_nan=True)
        for a, b in zip(found, wanted, strict=True)
    )


@torch.no_grad()
def entry_trial(random, entry):
    """One of the functions, with some arguments held in another way."""
    name, run, args = entry
    wanted = run(*(x.clone() for x in args))
    mode = random.choice([*MODES, *['plain'] * 9])
    odd = [x.clone() for x in args]
    how = []
    for place in random.sample(range(len(args)), min(len(args), 2)):
        kinds = random.choice([SAME, OTHER])
        how.append(random.choice(list(kinds)))
        yield f'{mode}: {name}: argument {place} {how[-1]}'
        try:
            odd[place] = kinds[how[-1]](odd[place])
        except REFUSALS:
            return  # there is no such tensor
    try:
        found = MODES[mode](run, odd)
    except (*REFUSALS, AssertionError):  # torch asserts that all are fake
        return
    if mode == 'plain' and set(how) <= set(SAME):
        assert _equal(found, wanted), f'{name}: other values for {how}'


def call_trial(random, entry):
    """A function of the library itself, with arguments of any kind."""
    kernels = library()
    function = random.choice(list(ARGUMENTS))
    args = []
    for kind in ARGUMENTS[function]:
        if kind is COUNT:
            args.append(random.choice([-1, 2.0, torch.tensor(3), None]))
        elif isinstance(kind, torch.dtype):
            good = torch.ones(6, 7, dtype=kind)
            args.append(random.choice([None, 7, _freed(good), good.T]))
        else:
            args.append(kind())
    yield f'call of {function}'
    try:
        kernels.call(function, *args)
    except IGQError:
        return
    raise AssertionError(f'{function} took {args}')


def address_trial(random, entry):
    """What a struct would hold."""
    kinds = {**OTHER, **GONE}
    kind = random.choice(list(kinds))
    yield f'address: {kind}'
    good = torch.rand(6, 7)
    try:
        odd = kinds[kind](good)
        found = address(odd)
    except REFUSALS:
        return
    whole = kind in ('flat', 'deep', 'longer', 'shorter', 'empty', 'number')
    assert whole and found == odd.data_ptr(), kind


def main(seed, trials):
    warnings.simplefilter('ignore')
    logging.getLogger('torch').setLevel(logging.CRITICAL)
    torch.set_num_threads(2)
    random = Random(seed)
    table = list(entries())
    kinds = [entry_trial] * 8 + [address_trial]
    kinds += [call_trial] if library() is not None else []
    for number in range(trials):
        trial = random.choice(kinds)
        for text in trial(random, random.choice(table)):
            print(number, text, flush=True)
    print('done')


if __name__ == '__main__':
    main(int(sys.argv[1]), int(sys.argv[2]))
