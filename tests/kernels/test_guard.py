"""No call into C with tensors that are not what their address says."""

import subprocess
import sys

import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode

from igq_mmdet.errors import KernelError
from igq_mmdet.kernels import library, recorded, runs_here
from igq_mmdet.kernels.call import ARGUMENTS, address
from igq_mmdet.kernels.guard import share_partly, within_storage
from igq_mmdet.quantizers import fake_quantize
from tests.conftest import ROOT


@pytest.mark.parametrize(
    'seed, trials',
    [(0, 400), pytest.param(1, 4000, marks=pytest.mark.slow)],
)
def test_odd_tensors_never_crash(seed, trials):
    command = f'-m tests.kernels.odd_tensors {seed} {trials}'.split()
    run = subprocess.run(
        [sys.executable, *command], cwd=ROOT, capture_output=True, text=True
    )
    last = run.stdout.strip().splitlines()[-1]
    assert run.returncode == 0 and last == 'done', (
        f'{last}: status {run.returncode}: {run.stderr[-300:]}'
    )


def test_what_can_be_read():
    x = torch.rand(4, 6)
    assert runs_here(x, x.T, x[1:], nn.Parameter(x), x.expand(2, 4, 6))
    for odd in (
        x.double(),
        x.to('meta'),
        x.to_sparse(),
        torch._neg_view(x),
        x.as_subclass(type('Units', (torch.Tensor,), {})),
        FakeTensorMode().from_tensor(x),
    ):
        assert not runs_here(x, odd)


def test_what_records_what_runs():
    seen = []

    def look(x):
        seen.append((recorded(), runs_here(x)))
        return x + 1

    x = torch.rand(3)
    torch.jit.trace(look, x, check_trace=False)
    torch.vmap(look)(x[None])
    torch.func.functionalize(look)(x)
    torch.func.vjp(look, x)
    with FakeTensorMode():
        look(torch.rand(3))
    torch.export.export(Calls(look), (x,))
    assert len(seen) >= 6 and set(seen) == {(True, False)}
    del seen[:]
    with torch.inference_mode():
        look(x)
    with torch.autograd.graph.save_on_cpu():
        look(x.requires_grad_())
    assert seen == [(False, True)] * 2


class Calls(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def test_memory_that_is_gone():
    x = torch.rand(4, 6)
    assert within_storage(x) and within_storage(x[1:, ::2])
    x.untyped_storage().resize_(x.nbytes - 4)
    assert not within_storage(x) and within_storage(x[:3])
    with pytest.raises(KernelError, match=r'not a Tensor of torch.float32'):
        address(x)
    x.untyped_storage().resize_(0)
    assert not within_storage(x)


def test_memory_that_overlaps():
    flat = torch.rand(12)
    assert not share_partly(flat, flat)
    assert not share_partly(flat[:6], flat[6:])
    assert share_partly(flat[:7], flat[6:])
    assert share_partly(flat[1:], flat[:-1])
    x, out = flat[:-2].view(2, 5), flat[2:].view(2, 5)
    one = torch.ones(1)
    with pytest.raises((ValueError, RuntimeError)):
        fake_quantize(x, one, one, 4, out)


def test_a_size_that_is_traced_is_no_count():
    """As ``x.shape`` is under ``torch.jit.trace``: an address to C."""
    if library() is None:
        pytest.skip('no kernels here')
    x = torch.rand(2, 3)
    low, high = torch.empty(2, 3)
    args = [x, torch.tensor(2), torch.tensor(3), low, high, 1]
    with pytest.raises(KernelError, match='takes a count'):
        library().call('column_bounds', *args)
    with pytest.raises(ValueError):
        library().call('column_bounds', x, 2, 3, low, high)
    library().call('column_bounds', x, 2, 3, low, high, 1)
    assert torch.equal(low, x.amin(0)) and torch.equal(high, x.amax(0))


def test_every_function_of_the_header_is_listed():
    text = (ROOT / 'igq_mmdet/kernels/csrc/api.h').read_text()
    for name, kinds in ARGUMENTS.items():
        start = text.index(f'void {name}(') + len(f'void {name}(')
        declared = text[start : text.index(')', start)].split(',')
        assert len(declared) == len(kinds), name
        for kind, words in zip(kinds, declared, strict=True):
            pointer = '*' in words
            assert pointer == isinstance(kind, torch.dtype), (name, words)
    assert text.count('    void ') == len(ARGUMENTS)
