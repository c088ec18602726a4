"""Compiled kernels and memory to fill; knows nothing of layers."""

from .library import library, runs_here

__all__ = ['library', 'runs_here']
