"""Good arguments of every operator, over a grid of shapes."""

import torch
import torch.nn.functional as F

from igq_mmdet.kernels.weights import PANEL, channel_panels, padded, panels

TOP = 15


class Draw:
    """Seeded tensors."""

    def __init__(self, seed=0):
        self.generator = torch.Generator().manual_seed(seed)

    def rand(self, *shape, shift=-2.0):
        return torch.rand(*shape, generator=self.generator) * 4 + shift

    def step(self, *shape):
        return self.rand(*shape, shift=0.3) / 8

    def integers(self, low, high, *shape, dtype=torch.int64):
        return torch.randint(
            low, high, shape, generator=self.generator, dtype=dtype
        )


def values(draw, rows, columns, kind):
    shape = dict(all=(1,), column=(columns,), row=(rows, 1))[kind]
    zero = draw.integers(0, TOP, *shape).float()
    x, scale = draw.rand(rows, columns), draw.step(*shape)
    return x, scale, -zero, TOP - zero, scale.clone(), torch.empty_like(x)


def weight_values(draw, rows, columns, with_scale):
    codes = draw.integers(0, TOP, rows, columns, dtype=torch.uint8)
    scale = draw.step(rows, 1) if with_scale else None
    zero = draw.integers(-9, 9, rows, 1).float()
    return codes, scale, zero, torch.empty(rows, columns)


def rescale(draw, axis, *shape):
    each = shape[axis]
    return draw.rand(*shape), draw.step(each), draw.rand(each), axis


def softmax_codes(draw, groups, terms, *shape):
    edges = torch.linspace(0.1, 0.9, groups)[:-1].clone()
    first = draw.rand(*shape[1:]) if terms else None
    second = draw.rand(shape[-1]) if terms > 1 else None
    step = draw.step(groups)
    return (
        draw.rand(*shape).mul(9).round(),
        torch.full((1,), 0.3),
        first,
        second,
        edges,
        step,
        TOP,
    )


def grouped_values(draw, images, tokens, inputs, outputs):
    groups = draw.integers(0, 3, images, inputs)
    return (
        draw.rand(images, tokens, inputs),
        groups,
        draw.step(3),
        draw.integers(0, TOP, 3).float(),
        draw.integers(0, TOP, outputs, inputs, dtype=torch.uint8),
        draw.step(outputs, 1),
        draw.integers(0, TOP, outputs, 1).float(),
        draw.rand(outputs),
        TOP,
        torch.empty(images, tokens, outputs),
    )


def _outputs(draw, outputs):
    zero = draw.integers(-8, 8, outputs, dtype=torch.int32)
    return padded(zero), padded(draw.step(outputs)), padded(draw.rand(outputs))


def linear(draw, images, tokens, inputs, outputs, shared):
    shape = (1 if shared else images, inputs)
    zero = draw.integers(0, TOP, *shape).float()
    codes = draw.integers(-8, 8, outputs, inputs).to(torch.int8)
    return (
        draw.rand(images, tokens, inputs),
        draw.step(*shape),
        -zero,
        TOP - zero,
        draw.integers(1, 17, *shape).float(),
        panels(codes, PANEL),
        *_outputs(draw, outputs),
        outputs,
        False,
    )


def grouped(draw, images, tokens, inputs, outputs):
    codes = draw.integers(-8, 8, outputs, inputs).to(torch.int8)
    return (
        draw.rand(images, tokens, inputs),
        draw.integers(0, 3, images, inputs),
        draw.step(3),
        draw.integers(0, TOP, 3).float(),
        TOP,
        channel_panels(codes, PANEL),
        *_outputs(draw, outputs),
        outputs,
        False,
    )


def conv(draw, channels, outputs, geometry, size=PANEL):
    kernel = geometry[0]
    codes = draw.integers(-8, 8, outputs, kernel[0] * kernel[1], channels)
    rows = F.pad(codes, (0, -channels % 4)).flatten(1).to(torch.int8)
    how = torch.tensor([0.1, -3.0, TOP - 3.0, 1.0])[:, None]
    return (
        draw.rand(2, channels, 9, 11),
        how,
        panels(rows, size),
        *_outputs(draw, outputs),
        outputs,
        False,
        *geometry,
    )


def _windows(draw, tokens, length):
    """Every token once and padding, in an order of its own."""
    count = tokens + -tokens % length
    order = torch.randperm(count, generator=draw.generator)
    return order.clamp(max=tokens)


def _codes(draw):
    step, zero = draw.step(3), draw.integers(0, TOP, 3).float()
    return torch.stack([step, -zero, TOP - zero], 1)


def window_values(draw, tokens, length, heads, depth):
    gather = _windows(draw, tokens, length)
    shape = (len(gather) // length * heads, length, depth)
    return (
        draw.rand(tokens + 1, 3 * heads * depth),
        gather,
        _codes(draw),
        *(torch.empty(shape) for _ in range(3)),
    )


def window_outputs(draw, tokens, length, heads, depth):
    gather = _windows(draw, tokens, length)
    windows = len(gather) // length
    return (
        draw.rand(windows * heads, length, depth).round(),
        draw.step(windows, heads, length),
        gather,
        draw.step(1),
        torch.zeros(tokens, heads * depth),
    )


def attention(draw, images, tokens, length, heads, depth, masked):
    gather = _windows(draw, tokens, length)
    fill, outside = (0, -length % 16), -1e30
    mask = None
    if masked:
        mask = draw.integers(0, 2, len(gather) // length, length, length)
        mask = F.pad(mask.float() * -100, fill)
    return (
        draw.rand(images, tokens + 1, 3 * heads * depth),
        gather,
        F.pad(draw.rand(heads, length, length), fill, value=outside),
        mask,
        _codes(draw),
        torch.tensor([0.2, 0.5]),
        draw.step(3),
        torch.full((1,), 0.01),
        tokens,
        4,
    )


PLAIN = ([1, 1], [1, 1], [0, 0], [1, 1])
WIDE = ([3, 2], [2, 1], [1, 0], [1, 2])
GRID = {
    'values': [
        (values, rows, columns, kind)
        for rows, columns in ((6, 7), (1, 1), (300, 33), (5, 5))
        for kind in ('all', 'column', 'row')
    ],
    'weight_values': [
        (weight_values, rows, columns, with_scale)
        for rows, columns in ((5, 7), (1, 1), (40, 65))
        for with_scale in (True, False)
    ],
    'column_bounds': [
        (lambda draw, *shape: (draw.rand(*shape),), *shape)
        for shape in ((6, 7), (1, 1), (3, 50, 33))
    ],
    'rescale': [
        (rescale, -1, 6, 7),
        (rescale, -3, 2, 5, 3, 4),
        (rescale, -1, 2, 1, 1),
    ],
    'softmax_codes': [
        (softmax_codes, groups, terms, *shape)
        for groups in (1, 3)
        for terms in (0, 1, 2)
        for shape in ((2, 3, 5, 7), (4, 17), (1, 1))
    ],
    'grouped_values': [
        (grouped_values, *shape)
        for shape in ((1, 6, 7, 5), (3, 1, 1, 1), (2, 50, 40, 33))
    ],
    'linear': [
        (linear, *shape, shared)
        for shape in ((1, 6, 7, 5), (3, 1, 1, 1), (2, 50, 40, 33))
        for shared in (True, False)
    ],
    'grouped': [
        (grouped, *shape)
        for shape in ((1, 6, 7, 5), (3, 1, 1, 1), (2, 50, 40, 33))
    ],
    'conv': [
        (conv, channels, outputs, geometry, size)
        for channels, outputs in ((3, 5), (8, 33))
        for geometry in (PLAIN, WIDE)
        for size in (16, 32)
    ],
    'window_values': [
        (window_values, *shape) for shape in ((9, 4, 2, 3), (16, 4, 1, 8))
    ],
    'window_outputs': [
        (window_outputs, *shape) for shape in ((9, 4, 2, 3), (16, 4, 1, 8))
    ],
    'attention': [
        (attention, *shape, masked)
        for shape in ((1, 9, 4, 2, 3), (2, 36, 16, 3, 8))
        for masked in (True, False)
    ],
}


def cases():
    """Name of an operator and its arguments."""
    for name, rows in GRID.items():
        for make, *how in rows:
            yield name, make(Draw(), *how)
