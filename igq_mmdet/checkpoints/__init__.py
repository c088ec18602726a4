"""Saving and rebuilding quantized models: packed codes, strict.

Imports: errors, files, modes, modules, quantizers, spec, version.
"""

from .checkpoint import load, packed, restore, restore_, save, stored_bytes
from .file import QuantCheckpoint, read

__all__ = [
    'QuantCheckpoint',
    'load',
    'packed',
    'read',
    'restore',
    'restore_',
    'save',
    'stored_bytes',
]
