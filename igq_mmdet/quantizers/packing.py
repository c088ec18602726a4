"""Codes of 2 to 8 bits packed without gaps into bytes."""

import numpy as np
import torch
from torch import Tensor

_CHUNK = 1 << 20  # codes at a time, a multiple of 8: whole bytes each


def packed_size(count: int, bits: int) -> int:
    """Bytes that ``count`` codes of ``bits`` bits take."""
    return (count * bits + 7) // 8


def pack(codes: Tensor, bits: int) -> Tensor:
    """Packs codes, most significant bit first.

    Args:
        codes (Tensor): uint8, any shape, each below ``2**bits``.
        bits (int): Width of a code in bits, 1 to 8.

    Returns:
        Tensor: uint8, (packed_size(codes.numel(), bits),).
    """
    flat = codes.reshape(-1).cpu().numpy()
    if flat.size and int(flat.max()) >= 2**bits:
        raise ValueError(f'code {int(flat.max())} does not fit {bits} bits')
    chunks = [
        np.packbits(
            np.unpackbits(flat[i : i + _CHUNK, None], axis=1)[:, 8 - bits :]
        )
        for i in range(0, flat.size, _CHUNK)
    ]
    empty = np.zeros(0, dtype=np.uint8)
    return torch.from_numpy(np.concatenate([empty, *chunks]))


def unpack(packed: Tensor, bits: int, count: int) -> Tensor:
    """The inverse of :func:`pack`.

    Args:
        packed (Tensor): uint8, (packed_size(count, bits),).
        bits (int): Width of a code in bits.
        count (int): Number of codes.

    Returns:
        Tensor: Codes, uint8, (count,).
    """
    flat = packed.cpu().numpy()
    if flat.size != packed_size(count, bits):
        raise ValueError(
            f'{flat.size} bytes are not {count} codes of {bits} bits'
        )
    out = np.empty(count, dtype=np.uint8)
    for i in range(0, count, _CHUNK):
        part = min(_CHUNK, count - i)
        start = i * bits // 8
        raw = flat[start : start + packed_size(part, bits)]
        grid = np.unpackbits(raw, count=part * bits).reshape(part, bits)
        out[i : i + part] = np.packbits(grid, axis=1)[:, 0] >> (8 - bits)
    return torch.from_numpy(out)
