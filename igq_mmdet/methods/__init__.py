"""One file a method: its quantizers, statistic, fit and cost.

Imports: quantizers.
"""

from .table import METHODS, Method, input_quantizer, softmax_quantizer

__all__ = ['METHODS', 'Method', 'input_quantizer', 'softmax_quantizer']
