"""Compiled kernels, for whoever has tensors; knows nothing of layers."""

from .library import library, runs_here

__all__ = ['library', 'runs_here']
