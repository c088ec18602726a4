"""Every kernel as an operator ``igq::...`` of torch.

A graph that is traced, exported or compiled holds them by name; a process
that runs it imports ``igq_mmdet.kernels``, or anything of the package.

They are defined with ``torch.library.Library``, in Python over the C
functions: one call of the smallest costs 2 us more than the function alone.
``torch.library.custom_op`` adds 6 us, a gradient formula 14 us, and
``TORCH_LIBRARY`` in C++ would tie a wheel to one version of torch.

Imports: errors, kernels.
"""

from . import (
    attention,
    column_bounds,
    conv,
    grouped,
    grouped_values,
    linear,
    rescale,
    softmax_codes,
    values,
    weight_values,
    windows,
)

__all__ = [
    'attention',
    'column_bounds',
    'conv',
    'grouped',
    'grouped_values',
    'linear',
    'rescale',
    'softmax_codes',
    'values',
    'weight_values',
    'windows',
]
