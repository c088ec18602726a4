"""Saving and rebuilding quantized models: packed codes, strict.

Imports: errors, files, modules, quantizers, spec, torch_modes, version.
"""

from .checkpoint import load, packed, restore, save, stored_bytes
from .file import QuantCheckpoint, read

__all__ = [
    'QuantCheckpoint',
    'load',
    'packed',
    'read',
    'restore',
    'save',
    'stored_bytes',
]
