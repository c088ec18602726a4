"""Faster ways to compute the same numbers."""

from .convert import to_integer
from .library import library

__all__ = ['library', 'to_integer']
