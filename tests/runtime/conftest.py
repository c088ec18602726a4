"""Every test of a layer runs on each kind of kernel this machine has."""

import warnings

import pytest

from igq_mmdet.kernels.library import SETS
from igq_mmdet.operators import definition
from igq_mmdet.runtime import conv_product, library


@pytest.fixture(params=SETS)
def kernels(request, monkeypatch):
    """The instruction set that products in this test use."""
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = library(request.param)
    if (found.name if found else 'none') != request.param:
        pytest.skip(f'no {request.param} here')
    for module in (conv_product, definition):
        monkeypatch.setattr(module, 'library', lambda: found)
    return request.param
