"""Collecting statistics, fitting groups, freezing weights."""

from .calibrate import calibrate, quantize
from .collect import Statistics, collect
from .fit import fit, freeze
from .kmeans import Groups, fit_groups
from .percentile import fit_static

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
