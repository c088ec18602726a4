"""Collecting statistics, fitting groups, freezing weights.

Imports: errors, fitting, modules, observers, quantizers, spec,
torch_modes.
"""

from ..fitting.kmeans import Groups, fit_groups
from ..fitting.percentile import fit_static
from .calibrate import calibrate, quantize
from .collect import Statistics, collect
from .fit import fit, freeze

__all__ = [
    'Groups',
    'Statistics',
    'calibrate',
    'collect',
    'fit',
    'fit_groups',
    'fit_static',
    'freeze',
    'quantize',
]
