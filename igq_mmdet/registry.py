"""Child registries, so that configs can say ``type='igq_mmdet.X'``.

Importing this also makes the package known to mmengine by name, for
``_base_ = 'igq_mmdet::...'`` and ``mmengine.hub.get_config``. Their configs
are built in the scope ``igq_mmdet`` and name classes of mmdet, so every
registry here looks in mmdet's registry of the same kind too.
"""

from importlib import import_module
from typing import Any

from mmengine import registry as roots
from mmengine.config.utils import MODULE2PACKAGE
from mmengine.registry import Registry

from .methods import METHODS, ROUNDINGS
from .open_registry import OpenRegistry

SCOPE = 'igq_mmdet'
LOCATIONS = ['igq_mmdet.detection', 'igq_mmdet.segmentation']

# mmengine looks a package up among the installed distributions first, and
# for an editable one that gives site-packages, where its configs are not. A
# name that no distribution has is found by importing: a module whose folder
# is the package's.
MODULE2PACKAGE.setdefault(SCOPE, f'{SCOPE}.version')


class ChildRegistry(Registry):
    """A registry of this package that falls back on mmdet's."""

    def get(self, key: str) -> Any:
        """See ``mmengine.registry.Registry.get``."""
        found = super().get(key)
        if found is None and self._ask_mmdet():
            found = self.parent._search_child('mmdet').get(key)
        return found

    def _ask_mmdet(self) -> bool:
        try:
            import_module('mmdet.registry')
        except ImportError:
            return False
        return self.parent._search_child('mmdet') is not None


class OpenedRegistry(Registry):
    """A registry of ours as one of mmengine's: the same classes in both.

    Args:
        registry (OpenRegistry): Ours.
    """

    def __init__(self, registry: OpenRegistry[Any]) -> None:
        super().__init__(registry.name, scope=SCOPE)
        self._module_dict = registry.module_dict
        self._add = registry.add

    def _register_module(
        self, module: type, module_name: Any = None, force: bool = False
    ) -> None:
        self._add(module, module_name, force)


CHILDREN = {
    root.name: ChildRegistry(
        root.name, parent=root, scope=SCOPE, locations=LOCATIONS
    )
    for root in vars(roots).values()
    if isinstance(root, Registry)
}
MODELS = CHILDREN['model']
HOOKS = CHILDREN['hook']
METRICS = CHILDREN['metric']
QUANT_METHODS = OpenedRegistry(METHODS)
WEIGHT_ROUNDINGS = OpenedRegistry(ROUNDINGS)
