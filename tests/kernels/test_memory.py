"""Memory in huge pages is memory like any other."""

import mmap

import pytest
import torch

from igq_mmdet.kernels import memory


@pytest.mark.parametrize('dtype', [torch.float32, torch.float64, torch.uint8])
@pytest.mark.parametrize(
    'shape', [(), (0, 5), (3, 7), (1025, 1024), (2, 3, 1024, 2048)]
)
def test_empty_is_as_new_empty(dtype, shape):
    like = torch.zeros(2, dtype=dtype)
    out = memory.empty(like, *shape)
    assert out.shape == shape and out.dtype == dtype
    assert out.is_contiguous()
    out.fill_(3)
    assert (out == 3).all()


def test_huge_pages_are_asked_for_inside_large_tensors_only(monkeypatch):
    asked = []
    monkeypatch.setattr(
        memory, '_madvise', lambda: lambda *args: asked.append(args)
    )
    memory.empty(torch.zeros(1), memory.LEAST // 4 - 1)
    assert asked == []
    out = memory.empty(torch.zeros(1), memory.LEAST // 4 + 1)
    ((start, length, advice),) = asked
    assert start.value % mmap.PAGESIZE == 0
    assert 0 <= start.value - out.data_ptr() < mmap.PAGESIZE
    assert start.value + length.value == out.data_ptr() + out.nbytes
    assert advice.value == mmap.MADV_HUGEPAGE


def test_a_system_without_them(monkeypatch):
    monkeypatch.setattr(memory, '_madvise', lambda: None)
    assert memory.empty(torch.zeros(1), 1 << 21).shape == (1 << 21,)
