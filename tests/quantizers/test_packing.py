"""Codes of every width, packed without gaps."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from igq_mmdet.quantizers import pack, packed_size, packing, unpack
from tests import oracle


@given(st.integers(1, 8), st.lists(st.integers(0, 255), max_size=70))
def test_equals_the_oracle_and_comes_back(bits, numbers):
    codes = [n % 2**bits for n in numbers]
    packed = pack(torch.tensor(codes, dtype=torch.uint8), bits)
    assert packed.tolist() == oracle.pack(codes, bits)
    assert packed.numel() == packed_size(len(codes), bits)
    assert unpack(packed, bits, len(codes)).tolist() == codes


@pytest.mark.parametrize('bits', range(2, 9))
def test_pieces_join(monkeypatch, bits):
    monkeypatch.setattr(packing, '_CHUNK', 8)
    codes = (torch.arange(45) % 2**bits).to(torch.uint8).view(9, 5)
    packed = pack(codes, bits)
    assert packed.tolist() == oracle.pack(codes.flatten().tolist(), bits)
    assert torch.equal(unpack(packed, bits, 45).view(9, 5), codes)


def test_two_codes_of_four_bits_share_a_byte():
    assert pack(torch.tensor([1, 15], dtype=torch.uint8), 4).tolist() == [31]


def test_what_does_not_fit_is_refused():
    with pytest.raises(ValueError, match='code 4 does not fit 2 bits'):
        pack(torch.tensor([4], dtype=torch.uint8), 2)
    with pytest.raises(ValueError, match='3 bytes are not 3 codes of 4'):
        unpack(torch.zeros(1, dtype=torch.uint8).repeat(3), 4, 3)
