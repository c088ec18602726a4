"""Graphs of standard operators, for programs without this package.

Imports: errors, files, modes, modules.
"""

from .onnx_file import export

__all__ = ['export']
