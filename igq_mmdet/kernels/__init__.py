"""Compiled kernels and memory to fill; knows nothing of layers.

Imports: nothing of the package.
"""

from .library import library, runs_here

__all__ = ['library', 'runs_here']
