"""Compiled kernels and memory to fill; knows nothing of layers.

Imports: errors.
"""

from .guard import recorded, runs_here, without_values
from .library import library

__all__ = ['library', 'recorded', 'runs_here', 'without_values']
