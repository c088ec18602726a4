"""The compiled kernels, if this machine has them.

The library is plain C behind ctypes: it needs no header of torch and no
Python of one version. It shares torch's OpenMP threads.
"""

import ctypes
import functools
import os
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

from .call import SETS, Library
from .sources import fingerprint

NAME = '_kernels'  # setup.py builds igq_mmdet/kernels/_kernels*.so
# 'avx512', 'avx2' or 'none': at most this instruction set
LIMIT = 'IGQ_MMDET_ISA'


@functools.cache
def library(limit: str | None = None) -> Library | None:
    """The kernels for this machine, or None; says once why there are none.

    Args:
        limit (str, optional): At most this instruction set, of ``SETS``.
            Defaults to the environment variable ``IGQ_MMDET_ISA``.

    Returns:
        Library, optional: None where the pure torch path is to be taken.
    """
    limit = limit or os.environ.get(LIMIT, SETS[-1])
    if limit not in SETS:
        raise ValueError(f'{LIMIT} must be one of {SETS}, got {limit!r}')
    found = sorted(Path(__file__).parent.glob(f'{NAME}*.so'))
    reason = 'the compiled kernels were not built (no C++ compiler?)'
    if limit == 'none':
        reason = 'no instruction set is allowed'
    elif found:
        try:
            _share_openmp()
            handle = ctypes.CDLL(str(found[0]))
            best = int(handle.igq_instruction_set())
            stale = _stale(handle)
        except (OSError, AttributeError) as error:
            reason = f'the compiled kernels do not load ({error})'
        else:
            if best and not stale:
                return Library(handle, min(best, SETS.index(limit)))
            reason = 'this processor has neither AVX-512 VNNI nor AVX2'
            if stale:
                reason = (
                    'the compiled kernels are older than their sources; '
                    'python setup.py build_ext --inplace renews them'
                )
    warnings.warn(
        f'igq_mmdet.kernels: {reason}; quantized layers run in torch, with '
        'the same results: integer ones slower than float, simulated ones '
        'slower than they need be',
        stacklevel=2,
    )
    return None


def _stale(handle: Any) -> bool:
    """Whether a library was made of other sources than lie beside it."""
    sources = Path(__file__).parent / 'csrc'
    if not sources.is_dir():
        return False
    if not hasattr(handle, 'igq_sources'):
        return True
    handle.igq_sources.restype = ctypes.c_char_p
    return bool(handle.igq_sources().decode() != fingerprint(sources))


def _share_openmp() -> None:
    """Makes torch's OpenMP the one that the kernels find.

    They are linked to none: a second one would bring threads of its own,
    which fight those of torch for the cores.
    """
    names = ('libgomp', 'libiomp5', 'libomp')
    own = Path(torch.__file__).parent / 'lib'
    beside = own.parent.parent / 'torch.libs'
    candidates = [
        str(path)
        for folder in (own, beside)
        for name in names
        for path in sorted(folder.glob(f'{name}*.so*'))
    ]
    if sys.platform == 'linux':
        candidates += [f'{names[0]}.so.1']
    for path in candidates:
        try:
            ctypes.CDLL(path, ctypes.RTLD_GLOBAL)
            return
        except OSError:
            continue
