"""Operators are what torch asks of one, and the same on every path."""

import warnings

import pytest
import torch
from torch import Tensor

import igq_mmdet  # noqa: F401
from igq_mmdet.errors import KernelError
from igq_mmdet.kernels import library
from igq_mmdet.kernels.call import ARGUMENTS, SETS
from igq_mmdet.operators import definition
from tests.operators.cases import GRID, Draw, cases

CASES = [
    pytest.param(name, number, id=f'{name}-{number}')
    for name, rows in GRID.items()
    for number in range(len(rows))
]


def find(name):
    return getattr(torch.ops.igq, name).default


def arguments(name, number):
    make, *how = GRID[name][number]
    return make(Draw(), *how)


def copied(args):
    return [x.clone() if isinstance(x, Tensor) else x for x in args]


def results(name, args):
    """What is returned and what is left in every argument."""
    args = copied(args)
    out = find(name)(*args)
    outs = out if isinstance(out, tuple) else (out,)
    return [x for x in (*outs, *args) if isinstance(x, Tensor)]


@pytest.mark.parametrize('name, number', CASES)
def test_opcheck(name, number):
    torch.library.opcheck(find(name), tuple(arguments(name, number)))


@pytest.mark.parametrize('isa', SETS[1:])
def test_kernels_give_what_torch_gives(monkeypatch, isa):
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        kernels = library(isa)
    if kernels is None or kernels.name != isa:
        pytest.skip(f'no {isa} here')
    for name, args in cases():
        called = []

        class Seen:
            conv_panel = kernels.conv_panel

            def call(self, function, *args, called=called):
                called.append(function)
                kernels.call(function, *args)

        monkeypatch.setattr(definition, 'library', Seen)
        found = results(name, args)
        assert set(called) == {name}, f'{name} is computed by {called}'
        monkeypatch.setattr(definition, 'library', lambda: None)
        for one, other in zip(found, results(name, args), strict=True):
            assert torch.equal(one, other), name


@pytest.mark.parametrize('name, number', CASES)
def test_any_layout(name, number):
    args = arguments(name, number)
    wanted = results(name, args)
    for i, x in enumerate(args):
        if not isinstance(x, Tensor) or x.dim() < 2:
            continue
        turned = x.transpose(0, -1).contiguous().transpose(0, -1)
        found = results(name, [*args[:i], turned, *args[i + 1 :]])
        for one, other in zip(found, wanted, strict=True):
            assert torch.equal(one, other), i


def test_every_kernel_is_an_operator():
    # bytes alone are for tests
    assert set(GRID) == set(ARGUMENTS) - {'codes'}


@pytest.mark.parametrize('name', GRID)
def test_a_gradient_is_refused(name):
    args = copied(arguments(name, 0))
    floats = [
        i
        for i, x in enumerate(args)
        if isinstance(x, Tensor) and x.is_floating_point()
    ]
    args[floats[0]].requires_grad_()
    with pytest.raises(KernelError, match=f'igq::{name} .*no gradient'):
        find(name)(*args)
    with torch.no_grad():
        find(name)(*args)


@pytest.mark.parametrize('name', GRID)
def test_no_values_no_results(name):
    """On ``meta`` and other devices shapes are all there is."""
    args = [
        x.to('meta') if isinstance(x, Tensor) else x
        for x in arguments(name, 0)
    ]
    out = find(name)(*args)
    wanted = find(name)(*copied(arguments(name, 0)))
    for one, other in zip(_each(out), _each(wanted), strict=True):
        assert one.is_meta and one.shape == other.shape
        assert one.dtype is other.dtype


def _each(out):
    outs = out if isinstance(out, tuple) else (out,)
    return [x for x in outs if isinstance(x, Tensor)]
