"""Faster ways to compute the same numbers.

Imports: errors, kernels, methods, modes, modules, operators, quantizers.
"""

from ..kernels.library import library
from .convert import to_integer

__all__ = ['library', 'to_integer']
