"""Collecting statistics, fitting groups, freezing weights.

Imports: errors, fitting, methods, modes, modules, observers, spec.
"""

from ..fitting.kmeans import Groups, fit_groups
from ..fitting.percentile import fit_static
from .calibrate import calibrate, quantize
from .collect import Statistics, collect
from .fit import fit, freeze
from .rounding import Team, needs_passes, round_weights

__all__ = [
    'Groups',
    'Statistics',
    'Team',
    'calibrate',
    'collect',
    'fit',
    'fit_groups',
    'fit_static',
    'freeze',
    'needs_passes',
    'quantize',
    'round_weights',
]
