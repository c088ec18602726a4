"""Old addresses of quantizers that are in ``methods`` now; they warn."""

import sys
import warnings
from types import ModuleType
from typing import Any

from . import quantizers
from .methods import fixed, igq, igq_integral, layerwise, repq, upper_bound

HOMES = (igq, igq_integral, layerwise, fixed, repq, upper_bound)
# modules that docs/api.md used to list
MODULES = ('channel_group', 'integral_group', 'row_group')


def moved(address: str) -> Any:
    """Makes ``__getattr__`` of a module whose content has moved.

    Args:
        address (str): Full name of the module.
    """

    def find(name: str) -> Any:
        for home in HOMES:
            found = vars(home).get(name)
            if getattr(found, '__module__', None) == home.__name__:
                warnings.warn(
                    f'{address}.{name} is now {home.__name__}.{name}',
                    FutureWarning,
                    stacklevel=2,
                )
                return found
        raise AttributeError(f'module {address!r} has no attribute {name!r}')

    return find


quantizers.__getattr__ = moved(quantizers.__name__)  # type: ignore[method-assign]
for module in MODULES:
    old = ModuleType(f'{quantizers.__name__}.{module}')
    old.__getattr__ = moved(old.__name__)  # type: ignore[method-assign]
    sys.modules[old.__name__] = old
    setattr(quantizers, module, old)
