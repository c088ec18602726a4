"""One file a method, one a way to round weights; both registries are open.

Each says what it observes, how it is fitted, what it costs and how it is
multiplied on integers. Files outside the package add theirs, see
docs/add_a_method.md.

Imports: fitting, kernels, observers, open_registry, quantizers.
"""

# isort: off
# in the order in which command lines and pages list them
from .base import (
    METHODS,
    Method,
    acting_method,
    input_quantizer,
    softmax_quantizer,
)
from .layerwise import StaticQuantizer
from .igq import IGQ
from .igq_integral import IGQIntegral
from .fixed import Consecutive, Sorted
from .repq import RepQ
from .upper_bound import UpperBound
from .rounding import ROUNDINGS, Rounding
from .nearest import Nearest
from .gptq import GPTQ, RidgeGPTQ
# isort: on

__all__ = [
    'GPTQ',
    'IGQ',
    'METHODS',
    'ROUNDINGS',
    'Consecutive',
    'IGQIntegral',
    'Method',
    'Nearest',
    'RepQ',
    'RidgeGPTQ',
    'Rounding',
    'Sorted',
    'StaticQuantizer',
    'UpperBound',
    'acting_method',
    'input_quantizer',
    'softmax_quantizer',
]
